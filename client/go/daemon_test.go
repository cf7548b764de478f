package sessiond_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// daemonVariable names the daemon's executable. Without it only the tests run that need none.
const daemonVariable = "SESSIOND_BIN"

// limit is how long a test waits for what is to come at once.
const limit = 20 * time.Second

// daemon is a real one, in a folder of its own.
type daemon struct {
	folder, socket string
	flags          []string
	process        *exec.Cmd
}

// TestMain runs the examples on a daemon of their own, where SESSIOND_SOCKET says.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if os.Getenv(daemonVariable) == "" {
			if err := flag.Set("test.skip", "^Example"); err != nil {
				panic(err)
			}
			return m.Run()
		}
		d, err := newDaemon()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer d.remove()
		if err := os.Setenv(sessiond.SocketVariable, d.socket); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// startDaemon starts a daemon that ends with the test.
func startDaemon(t *testing.T, flags ...string) *daemon {
	t.Helper()
	if os.Getenv(daemonVariable) == "" {
		t.Skipf("%s names no daemon", daemonVariable)
	}
	d, err := newDaemon(flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.remove)
	return d
}

func newDaemon(flags ...string) (*daemon, error) {
	folder, err := os.MkdirTemp("", "sessiond-go") // short, since a socket's path has 107 bytes at most
	if err != nil {
		return nil, err
	}
	d := &daemon{folder: folder, socket: filepath.Join(folder, "socket"), flags: flags}
	if err := d.start(); err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	return d, nil
}

// start returns when sessions are served.
func (d *daemon) start() error {
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	arguments := append([]string{
		"serve", "--dir", filepath.Join(d.folder, "sessions"), "--socket", d.socket, "--hand-over-delay", "50ms",
		"--log", "warn", "--seal", "file:" + filepath.Join(d.folder, "key"), "--ready-fd", "3",
	}, d.flags...)
	d.process = exec.Command(os.Getenv(daemonVariable), arguments...)
	d.process.ExtraFiles = []*os.File{readyEnd}
	d.process.Stderr = os.Stderr
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = d.process.Start()
	_ = readyEnd.Close()
	if err != nil {
		return err
	}
	if err := ready.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	line, err := bufio.NewReader(ready).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "READY=1" {
		return fmt.Errorf("the daemon is not ready: %q, %w", line, err)
	}
	return nil
}

// end ends the daemon with a signal, and returns when it is gone.
func (d *daemon) end(signal syscall.Signal) {
	_ = d.process.Process.Signal(signal)
	_ = d.process.Wait()
}

// restart ends the daemon with a signal and starts it again.
func (d *daemon) restart(t *testing.T, signal syscall.Signal) {
	t.Helper()
	d.end(signal)
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
}

func (d *daemon) remove() {
	d.end(syscall.SIGKILL)
	_ = os.RemoveAll(d.folder)
}

// connect makes a client of this daemon that ends with the test.
func (d *daemon) connect(t *testing.T, options ...sessiond.Option) *sessiond.Client {
	t.Helper()
	client, err := sessiond.Connect(append([]sessiond.Option{sessiond.Socket(d.socket)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// within is a context for what is to come at once.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// ok is the value of a call that is to succeed.
func ok[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// succeeds fails the test with err, if it is one.
func succeeds(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
