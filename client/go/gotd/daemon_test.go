package gotd_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// daemonVariable names the daemon's executable. Without it no test runs that needs one.
const daemonVariable = "SESSIOND_BIN"

// limit is how long a test waits for what is to come at once.
const limit = 20 * time.Second

// daemon is a real one, in a folder of its own.
type daemon struct {
	folder, socket string
	process        *exec.Cmd
}

// startDaemon starts a daemon that ends with the test.
func startDaemon(t *testing.T) *daemon {
	t.Helper()
	if os.Getenv(daemonVariable) == "" {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s names no daemon", daemonVariable)
		}
		t.Skipf("%s names no daemon", daemonVariable)
	}
	folder := ok(os.MkdirTemp("", "sessiond-gotd"))(t) // short, since a socket's path has 107 bytes at most
	d := &daemon{folder: folder, socket: filepath.Join(folder, "socket")}
	t.Cleanup(func() {
		d.end(syscall.SIGKILL)
		_ = os.RemoveAll(folder)
	})
	d.start(t)
	return d
}

// start returns when sessions are served.
func (d *daemon) start(t *testing.T) {
	t.Helper()
	ready, readyEnd, err := os.Pipe()
	succeeds(t, err)
	defer ready.Close()
	d.process = exec.Command(os.Getenv(daemonVariable), "serve", "--dir", filepath.Join(d.folder, "sessions"),
		"--seal", "file:"+filepath.Join(d.folder, "key"), "--socket", d.socket, "--hand-over-delay", "50ms",
		"--log", "warn", "--ready-fd", "3")
	d.process.ExtraFiles = []*os.File{readyEnd}
	d.process.Stderr = os.Stderr
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = d.process.Start()
	_ = readyEnd.Close()
	succeeds(t, err)
	succeeds(t, ready.SetReadDeadline(time.Now().Add(limit)))
	if line := ok(bufio.NewReader(ready).ReadString('\n'))(t); line != "READY=1\n" {
		t.Fatalf("the daemon says %q", line)
	}
}

// end ends the daemon with a signal, and returns when it is gone.
func (d *daemon) end(signal syscall.Signal) {
	_ = d.process.Process.Signal(signal)
	_ = d.process.Wait()
}

// connect makes a client of this daemon that ends with the test.
func (d *daemon) connect(t *testing.T, options ...sessiond.Option) *sessiond.Client {
	t.Helper()
	client := ok(sessiond.Connect(append([]sessiond.Option{sessiond.Socket(d.socket)}, options...)...))(t)
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

// isLost fails the test unless an error is that of a hold that an operator ended.
func isLost(t *testing.T, err error) {
	t.Helper()
	var lost *sessiond.LostError
	if !errors.As(err, &lost) || lost.Reason != sessiond.EndedByAdmin {
		t.Errorf("not the error of a lost hold: %v", err)
	}
}
