package sessiond_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// reader reads a watch event by event.
type reader struct {
	t    *testing.T
	next func() (sessiond.Event, error, bool)
}

func read(t *testing.T, ctx context.Context, watch *sessiond.Watch) reader {
	next, stop := iter.Pull2(watch.Events(ctx))
	t.Cleanup(stop)
	return reader{t, next}
}

// event is the next one that is no bookmark.
func (r reader) event() sessiond.Event {
	r.t.Helper()
	for {
		event, err, more := r.next()
		if err != nil || !more {
			r.t.Fatalf("the watch has ended: %v", err)
		}
		if _, is := event.(sessiond.Bookmark); !is {
			return event
		}
	}
}

// next is the next event that is no bookmark, and of this type.
func next[E sessiond.Event](r reader) E {
	r.t.Helper()
	event := r.event()
	expected, is := event.(E)
	if !is {
		r.t.Fatalf("not a %T: %#v", expected, event)
	}
	return expected
}

func TestAWatchTellsEverythingInOrder(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice", sessiond.Label("writer")))(t)
	saved := ok(hold.Save(ctx, full(t)))(t)
	watch := ok(client.Watch(sessiond.WatchOptions{Names: []string{"alice"}}))(t)
	events := read(t, ctx, watch)
	if restarted := next[sessiond.Restarted](events); restarted.Reason != sessiond.RestartFirst {
		t.Errorf("restarted: %v", restarted)
	}
	snapshot := next[sessiond.Snapshot](events)
	if snapshot.Name != "alice" || snapshot.Revision != saved || snapshot.Holder.Label != "writer" ||
		snapshot.Session.User.ID != full(t).User.ID || !snapshot.Session.DCs[0].Auth.IsZero() {
		t.Errorf("snapshot: %+v", snapshot)
	}
	if watch.Position() != nil {
		t.Error("half of the snapshots have a position")
	}
	synced := next[sessiond.Synced](events)
	if *watch.Position() != sessiond.Position(synced) {
		t.Errorf("position: %+v, not %+v", watch.Position(), synced)
	}
	change := sessiond.StateChange{Pts: new(int32(7)), RemovedChannels: []int64{1}}
	ok(hold.Advance(ctx, change))(t)
	advanced := next[sessiond.Advanced](events)
	if !reflect.DeepEqual(advanced.Change, change) || advanced.PreviousRevision != saved || advanced.Time.IsZero() {
		t.Errorf("advanced: %+v", advanced)
	}
	ok(hold.Save(ctx, full(t)))(t)
	if event := next[sessiond.Saved](events); event.Session.DC(1) == nil || event.PreviousRevision != advanced.Revision {
		t.Errorf("saved: %+v", event)
	}
	ok(hold.Delete(ctx))(t)
	next[sessiond.Deleted](events)
	succeeds(t, client.EndHold(ctx, "alice"))
	if changed := next[sessiond.HoldChanged](events); changed.Holder != nil || changed.Reason != sessiond.EndedByAdmin {
		t.Errorf("hold changed: %+v", changed)
	}
}

func TestAWatchGoesOnWhereItWas(t *testing.T) {
	daemon := startDaemon(t)
	client := daemon.connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	watch := ok(client.Watch(sessiond.WatchOptions{NamePrefix: "al"}))(t)
	events := read(t, ctx, watch)
	for range 3 {
		events.event()
	}
	advance := func(pts int32) { ok(hold.Advance(ctx, sessiond.StateChange{Pts: &pts}))(t) }
	expect := func(events reader, pts int32) {
		t.Helper()
		if advanced := next[sessiond.Advanced](events); *advanced.Change.Pts != pts {
			t.Errorf("pts %d, not %d", *advanced.Change.Pts, pts)
		}
	}
	advance(1)
	expect(events, 1)
	for pts, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		daemon.restart(t, signal)
		advance(int32(pts + 2))
		expect(events, int32(pts+2))
	}
	advance(4)
	advance(5)
	expect(events, 4)

	again := read(t, ctx, ok(client.Watch(sessiond.WatchOptions{Names: []string{"alice"}, After: watch.Position()}))(t))
	expect(again, 5)
	for event, err := range watch.Events(ctx) { // in place of the first loop over it
		succeeds(t, err)
		if advanced, is := event.(sessiond.Advanced); is {
			if *advanced.Change.Pts != 5 {
				t.Errorf("another loop goes on with %+v", advanced)
			}
			break
		}
	}
}

func TestAWatchOfAnotherStoreStartsOver(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	position := &sessiond.Position{Revision: 1, StoreID: "another"}
	events := read(t, ctx, ok(client.Watch(sessiond.WatchOptions{After: position}))(t))
	if restarted := next[sessiond.Restarted](events); restarted.Reason != sessiond.RestartOtherStore {
		t.Errorf("restarted: %v", restarted)
	}
}

func TestOnlyTheLatestIsToldToWhoWantsThat(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	watch := ok(client.Watch(sessiond.WatchOptions{Mode: sessiond.Latest}))(t)
	events := read(t, ctx, watch)
	for range 2 {
		events.event()
	}
	synced := next[sessiond.Synced](events)
	ok(hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	next[sessiond.Advanced](events)
	if watch.Position().Revision != synced.Revision {
		t.Errorf("a commit is no place to go on from: %+v", watch.Position())
	}
}

func TestASilentDaemonSendsBookmarks(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	watch := ok(client.Watch(sessiond.WatchOptions{BookmarkInterval: 100 * time.Millisecond}))(t)
	for event, err := range watch.Events(ctx) {
		succeeds(t, err)
		if bookmark, is := event.(sessiond.Bookmark); is {
			if watch.Position().Revision != bookmark.Revision {
				t.Errorf("position: %+v", watch.Position())
			}
			return
		}
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var last error
	for event, err := range ok(client.Watch(sessiond.WatchOptions{}))(t).Events(ctx) {
		if _, is := event.(sessiond.Synced); is {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error: %v", last)
	}
}

func TestUnreadWatchesHoldNothingUp(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	var unread []reader
	for range 4 {
		events := read(t, ctx, ok(client.Watch(sessiond.WatchOptions{}))(t))
		for range 3 {
			events.event()
		}
		unread = append(unread, events)
	}
	channels := make([]sessiond.ChannelState, 100)
	stream := hold.AdvanceStream()
	for pts := range 8000 {
		for i := range channels {
			channels[i] = sessiond.ChannelState{ID: int64(i + 1), Pts: int32(pts)}
		}
		ok(stream.Push(ctx, sessiond.StateChange{Channels: channels}))(t)
	}
	ok(stream.Finish(ctx))(t)
	began := time.Now()
	ok(hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	ok(client.Load(ctx, "alice"))(t)
	fresh := read(t, ctx, ok(client.Watch(sessiond.WatchOptions{}))(t)) // on the connection of those that are unread
	next[sessiond.Restarted](fresh)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, events := range unread {
		for pts := range 8000 {
			advanced := next[sessiond.Advanced](events)
			if advanced.Change.Channels[0].Pts != int32(pts) {
				t.Fatalf("event %d of an unread watch: %+v", pts, advanced.Commit)
			}
		}
	}
}
