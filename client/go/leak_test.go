package sessiond_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// eventually waits for what is to be so at once.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(limit)
	for !is() {
		select {
		case <-time.Tick(5 * time.Millisecond):
		case <-deadline:
			t.Fatal(what)
		}
	}
}

// tasks are the goroutines that the package or a stream of its connections has.
func tasks() (found []string) {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "sessiond.(*Hold)") || strings.Contains(stack, "sessiond.(*AdvanceStream)") ||
			strings.Contains(stack, "client/go.(*") || strings.Contains(stack, "grpc.newClientStream") {
			found = append(found, stack)
		}
	}
	return found
}

func TestWhatHasEndedLeavesNothingBehind(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	released := ok(client.Hold(ctx, "released"))(t)
	dropped := ok(client.Hold(ctx, "dropped"))(t)
	lost := ok(client.Hold(ctx, "lost"))(t)
	refused, cancel := context.WithCancel(ctx)
	for _, hold := range []*sessiond.Hold{released, dropped, lost} {
		stream := hold.AdvanceStream() // neither finished nor closed
		ok(stream.Push(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
		ok(stream.Durable(ctx, 1))(t)
	}
	finished := released.AdvanceStream()
	ok(finished.Push(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	ok(finished.Finish(ctx))(t)
	for range ok(client.Watch(sessiond.WatchOptions{}))(t).Events(ctx) {
		break
	}
	ok(lost.PutPeers(ctx, sessiond.Peer{ID: 1}, sessiond.Peer{ID: 2}))(t)
	for range lost.ListPeers(ctx, sessiond.PeerFilter{}) {
		break
	}
	_, err := client.Hold(refused, "lost", sessiond.Wait(), sessiond.OnWaiting(func(sessiond.Waiting) { cancel() }))
	if err == nil {
		t.Error("two holds of a session")
	}
	if len(tasks()) == 0 {
		t.Error("the test does not see what it looks for")
	}

	succeeds(t, released.Release(ctx))
	dropped.Drop()
	succeeds(t, client.EndHold(ctx, "lost"))
	<-lost.Context().Done()
	lost.Drop()
	eventually(t, "goroutines are left", func() bool { return len(tasks()) == 0 })
}

func TestNothingIsLeftOfAClientThatIsClosed(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	before := runtime.NumGoroutine()
	client := ok(sessiond.Connect(sessiond.Socket(daemon.socket)))(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	ok(hold.AdvanceStream().Push(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	watch := make(chan error)
	go func() {
		var last error
		for _, err := range ok(client.Watch(sessiond.WatchOptions{}))(t).Events(ctx) {
			last = err
		}
		watch <- last
	}()
	succeeds(t, client.Close())
	if err := <-watch; err != sessiond.ErrClosed {
		t.Errorf("the watch ends with %v", err)
	}
	eventually(t, "goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}
