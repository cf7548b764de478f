package gotd_test

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// programVariable makes this executable the program of these settings, in place of the tests.
const programVariable = "GOTD_PROGRAM"

// settings are what a program is started with.
type settings struct {
	Label, Socket string
	Keys          string // PEM
	DCs           []tg.DCOption
	FirstDC       int // where it connects to log in
}

// line is what a program says, each in a line of its own.
type line struct {
	Message int    `json:",omitempty"`
	Post    int    `json:",omitempty"`
	Waiting bool   `json:",omitempty"`
	Error   string `json:",omitempty"`
}

func TestMain(m *testing.M) {
	if file := os.Getenv(storingVariable); file != "" {
		panic(storeForEver(file))
	}
	if given := os.Getenv(programVariable); given != "" {
		if err := runProgram(given); err != nil {
			say(line{Error: err.Error()})
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runProgram is the recipe, which says what it receives.
func runProgram(given string) error {
	var settings settings
	if err := json.Unmarshal([]byte(given), &settings); err != nil {
		return err
	}
	keys, err := crypto.ParseRSAPublicKeys([]byte(settings.Keys))
	if err != nil {
		return err
	}
	options := optionsFor(keys, settings.DCs, settings.FirstDC)
	handler := telegram.UpdateHandlerFunc(func(_ context.Context, received tg.UpdatesClass) error {
		for _, update := range received.(*tg.Updates).Updates {
			switch update := update.(type) {
			case *tg.UpdateNewMessage:
				say(line{Message: update.Message.GetID()})
			case *tg.UpdateNewChannelMessage:
				say(line{Post: update.Message.GetID()})
			}
		}
		return nil
	})
	if settings.Label == onFile {
		return botOnFile(context.Background(), settings.Socket, options, handler)
	}
	client, err := sessiond.Connect(sessiond.Socket(settings.Socket), sessiond.Label(settings.Label))
	if err != nil {
		return err
	}
	defer client.Close()
	return bot(context.Background(), client, 1, "hash", "1:token", options, handler)
}

// optionsFor are what lets stock gotd talk to a Telegram that is not Telegram's.
func optionsFor(keys []*rsa.PublicKey, addresses []tg.DCOption, firstDC int) telegram.Options {
	options := telegram.Options{
		DC:       firstDC,
		DCList:   dcs.List{Options: addresses},
		Resolver: dcs.Plain(dcs.PlainOptions{Protocol: transport.Intermediate}),
	}
	for _, key := range keys {
		options.PublicKeys = append(options.PublicKeys, telegram.PublicKey{RSA: key})
	}
	return options
}

var saying sync.Mutex

func say(said line) {
	saying.Lock()
	defer saying.Unlock()
	text, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

// program is one that runs.
type program struct {
	process *exec.Cmd
	// ended is closed when it has ended, and everything that it said was heard.
	ended chan struct{}

	mutex sync.Mutex
	// messages and posts are what it received, in that order.
	messages, posts []int
	failure         string
}

// startProgram starts one that ends with the test.
func startProgram(t *testing.T, label string, daemon *daemon, side *loopback.Telegram, firstDC int) *program {
	t.Helper()
	var keys strings.Builder
	for _, key := range side.Keys() {
		block := pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(key)}
		succeeds(t, pem.Encode(&keys, &block))
	}
	given := ok(json.Marshal(settings{label, daemon.socket, keys.String(), side.Options(), firstDC}))(t)
	p := &program{process: exec.Command(ok(os.Executable())(t)), ended: make(chan struct{})}
	p.process.Env = append(os.Environ(), programVariable+"="+string(given))
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
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var said line
	if err := json.Unmarshal(text, &said); err != nil {
		p.failure = string(text)
	}
	switch {
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
