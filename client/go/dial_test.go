package sessiond_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

func TestADaemonIsFoundByAnAbstractName(t *testing.T) {
	name := fmt.Sprintf("sessiond-go-%d", os.Getpid())
	daemon := startDaemon(t, "--abstract-socket", name)
	client := ok(sessiond.Connect(sessiond.Socket("unix-abstract:" + name)))(t)
	defer client.Close()
	hold := ok(client.Hold(within(t), "alice"))(t)
	daemon.restart(t, syscall.SIGKILL)
	succeeds(t, hold.Release(within(t)))
}

// mute listens on a socket, and does with each connection what it is told.
func mute(t *testing.T, accepted func(net.Conn)) *sessiond.Client {
	folder := ok(os.MkdirTemp("", "sessiond-go"))(t)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	listener := ok(net.Listen("unix", filepath.Join(folder, "socket")))(t)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			accepted(connection)
		}
	}()
	client := ok(sessiond.Connect(sessiond.Socket(listener.Addr().String()), impatient))(t)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func TestADaemonThatSaysNothingIsUnavailableAtTheDeadline(t *testing.T) {
	client := mute(t, func(net.Conn) {})
	var watched error
	for _, err := range ok(client.Watch(sessiond.WatchOptions{}))(t).Events(t.Context()) {
		watched = err
	}
	_, held := client.Hold(t.Context(), "alice")
	_, loaded := client.Load(t.Context(), "alice")
	for _, err := range []error{watched, held, loaded} {
		if unavailable := (*sessiond.UnavailableError)(nil); !errors.As(err, &unavailable) {
			t.Errorf("silence: %v", err)
		}
	}
}

func TestAttemptsToConnectAreAtMostASecondApart(t *testing.T) {
	t.Parallel()
	attempts := make(chan time.Time, 100)
	client := mute(t, func(connection net.Conn) {
		attempts <- time.Now()
		_ = connection.Close()
	})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	go func() { _, _ = client.Hold(ctx, "alice") }()
	last := <-attempts
	for range 8 { // after that many the delay no longer grows
		next := <-attempts
		if apart := next.Sub(last); apart > 2*time.Second { // one of it is for a machine that is busy
			t.Errorf("attempts are %v apart", apart)
		}
		last = next
	}
}
