package sessiond_test

import (
	"context"
	"errors"
	"syscall"
	"testing"

	sessiond "sessiond.invalid/client/go"
)

func TestAStreamOfChangesIsDurableInOrder(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	stream := hold.AdvanceStream()
	for pts := range int32(1000) {
		if sequence := ok(stream.Push(ctx, sessiond.StateChange{Pts: &pts}))(t); sequence != int64(pts)+1 {
			t.Fatalf("sequence %d of pts %d", sequence, pts)
		}
	}
	if acknowledged := ok(stream.Durable(ctx, 10))(t); acknowledged.Sequence < 10 || acknowledged.Revision == 0 {
		t.Errorf("acknowledged: %+v", acknowledged)
	}
	revision := ok(stream.Finish(ctx))(t)
	loaded := ok(hold.Load(ctx))(t)
	if loaded.Revision != revision || loaded.Session.State.Pts != 999 {
		t.Errorf("read: %+v at %d, not %d", loaded.Session.State, loaded.Revision, revision)
	}
	if _, err := stream.Push(ctx, sessiond.StateChange{Pts: new(int32(1))}); err == nil {
		t.Error("a change was added to a stream that is finished")
	}
}

func TestARefusedChangeEndsItsStreamAndIsNamed(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	stream := hold.AdvanceStream()
	for _, pts := range []int32{1, 2, -1, 4} {
		ok(stream.Push(ctx, sessiond.StateChange{Pts: &pts}))(t)
	}
	_, err := stream.Finish(ctx)
	var refused *sessiond.ChangeRefusedError
	var invalid *sessiond.InvalidArgumentError
	if !errors.As(err, &refused) || refused.Sequence != 3 || !errors.As(err, &invalid) {
		t.Fatalf("refused: %v", err)
	}
	if _, err := stream.Push(ctx, sessiond.StateChange{}); !errors.As(err, &refused) {
		t.Errorf("pushed after it: %v", err)
	}
	if state := ok(hold.Load(ctx))(t).Session.State; state.Pts != 2 {
		t.Errorf("state: %+v", state)
	}
}

func TestAStreamOfChangesOutlastsTheDaemon(t *testing.T) {
	daemon := startDaemon(t)
	client := daemon.connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	stream := hold.AdvanceStream()
	push := func(from, to int32) {
		for pts := from; pts < to; pts++ {
			ok(stream.Push(ctx, sessiond.StateChange{Pts: &pts}))(t)
		}
	}
	push(1, 500)
	daemon.end(syscall.SIGKILL)
	push(500, 1000)
	succeeds(t, daemon.start())
	push(1000, 1500)
	ok(stream.Finish(ctx))(t)
	if state := ok(hold.Load(ctx))(t).Session.State; state.Pts != 1499 {
		t.Errorf("state: %+v", state)
	}
}

func TestAStreamEndsWithItsHold(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	stream := hold.AdvanceStream()
	ok(stream.Push(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	ok(stream.Durable(ctx, 1))(t)
	succeeds(t, client.EndHold(ctx, "alice"))
	_, later := stream.Durable(ctx, 2)
	_, push := stream.Push(ctx, sessiond.StateChange{Pts: new(int32(2))})
	_, finish := stream.Finish(ctx)
	for _, err := range []error{later, push, finish} {
		if lost := (*sessiond.LostError)(nil); !errors.As(err, &lost) || lost.Reason != sessiond.EndedByAdmin {
			t.Errorf("lost: %v", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := hold.AdvanceStream().Durable(ctx, 1); err == nil {
		t.Error("nothing was durable")
	}
}
