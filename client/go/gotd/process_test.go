package gotd_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// line is what a program says, each in a line of its own.
type line struct {
	Message int    `json:",omitempty"`
	Post    int    `json:",omitempty"`
	Error   string `json:",omitempty"`
}

// heardJSON is how most programs say it. An error is something else that was said.
func heardJSON(text []byte) (said line, err error) {
	err = json.Unmarshal(text, &said)
	return said, err
}

// program is one that runs.
type program struct {
	process *exec.Cmd
	heard   func(text []byte) (line, error)
	// ended is closed when it has ended, and everything that it said was heard.
	ended chan struct{}

	mutex sync.Mutex
	// messages and posts are what it received, in that order.
	messages, posts []int
	failure         string
}

// start starts a program that ends with the test.
func start(t *testing.T, command *exec.Cmd, heard func(text []byte) (line, error)) *program {
	t.Helper()
	p := &program{process: command, heard: heard, ended: make(chan struct{})}
	p.process.Stderr = os.Stderr
	p.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := ok(p.process.StdoutPipe())(t)
	succeeds(t, p.process.Start())
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			p.hear(lines.Bytes())
		}
		_ = p.process.Wait()
	}()
	return p
}

func (p *program) hear(text []byte) {
	said, err := p.heard(text)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch {
	case err != nil:
		p.failure = string(text)
	case said.Message != 0:
		p.messages = append(p.messages, said.Message)
	case said.Post != 0:
		p.posts = append(p.posts, said.Post)
	case said.Error != "":
		p.failure = said.Error
	}
}

// received is what it has received so far.
func (p *program) received() (messages, posts []int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.messages, p.posts
}

// end ends it with a signal, and returns what it failed with.
func (p *program) end(signal syscall.Signal) (failure string) {
	_ = p.process.Process.Signal(signal)
	return p.wait()
}

func (p *program) wait() (failure string) {
	<-p.ended
	return p.failure
}
