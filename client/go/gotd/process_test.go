package gotd_test

import (
	"bufio"
	"bytes"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
)

// said is what programs say of what they receive: its kind and its number, a line each.
var said = regexp.MustCompile(`^(?P<kind>message|post) (?P<number>\d+)$`)

// program is one that runs.
type program struct {
	process *exec.Cmd
	// ended is closed when it has ended, and everything that it said was heard.
	ended chan struct{}

	mutex sync.Mutex
	// messages and posts are what it received, in that order.
	messages, posts []int
	// complaints are what it wrote to its standard error.
	complaints bytes.Buffer
	failed     bool
}

// start starts a program that ends with the test. said has groups for the kind and the number of what it receives.
func start(t *testing.T, command *exec.Cmd, said *regexp.Regexp) *program {
	t.Helper()
	p := &program{process: command, ended: make(chan struct{})}
	p.process.Stderr = &p.complaints
	p.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := ok(p.process.StdoutPipe())(t)
	succeeds(t, p.process.Start())
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.process.Path, &p.complaints)
		}
	})
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			p.hear(said, lines.Bytes())
		}
		p.failed = p.process.Wait() != nil
	}()
	return p
}

func (p *program) hear(said *regexp.Regexp, text []byte) {
	found := said.FindSubmatch(text)
	if found == nil {
		return
	}
	number, err := strconv.Atoi(string(found[said.SubexpIndex("number")]))
	if err != nil {
		return
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch string(found[said.SubexpIndex("kind")]) {
	case "message", "Common":
		p.messages = append(p.messages, number)
	case "post", "Channel":
		p.posts = append(p.posts, number)
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
	if p.failed {
		return "failure: " + p.complaints.String()
	}
	return ""
}
