package sessiond_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"reflect"
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
)

// key is a made-up authorization key.
func key(t *testing.T, n byte) sessiond.AuthKey {
	return ok(sessiond.NewAuthKey(bytes.Repeat([]byte{n}, sessiond.AuthKeySize)))(t)
}

// full is a session with everything that one can have, at the ends of what its fields hold.
func full(t *testing.T) *sessiond.Session {
	return &sessiond.Session{
		DCs: []sessiond.DataCenter{
			{ID: 1, IPv4Addr: new("149.154.175.50:443"), IPv6Addr: new("2001:b28:f23d:f001::a:443"), Auth: key(t, 1), HasAuth: true},
			{ID: 2},
			{ID: math.MaxInt32, Auth: key(t, 2), HasAuth: true},
		},
		User: &sessiond.User{ID: math.MaxInt64, DC: 1, Bot: new(false), Username: new("anna")},
		State: &sessiond.UpdateState{
			Pts: math.MaxInt32, Qts: 2, Date: math.MaxInt64, Seq: 4,
			Channels: []sessiond.ChannelState{{ID: 1, Pts: 0}, {ID: math.MaxInt64, Pts: math.MaxInt32}},
		},
		HomeDC:   new(int32(1)),
		TestMode: new(false),
	}
}

func TestASessionComesBackAsItWasSaved(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice", sessiond.Label("first")))(t)
	if hold.Session() != nil || hold.Revision() != 0 || hold.Fence() == 0 || hold.ResumeWithin() == 0 {
		t.Fatalf("a new session: %v, %d, %d", hold.Session(), hold.Revision(), hold.Fence())
	}
	revision := ok(hold.Save(ctx, full(t), sessiond.IfRevision(0)))(t)
	loaded := ok(hold.Load(ctx))(t)
	if !reflect.DeepEqual(loaded.Session, full(t)) || loaded.Revision != revision {
		t.Errorf("read: %+v", loaded.Session)
	}
	if loaded.Holder == nil || loaded.Holder.Label != "first" || loaded.Holder.Since.IsZero() {
		t.Errorf("holder: %+v", loaded.Holder)
	}
	succeeds(t, hold.Release(ctx))
	again := ok(client.Hold(ctx, "alice"))(t)
	if !reflect.DeepEqual(again.Session(), full(t)) || again.Revision() != revision || again.Fence() <= hold.Fence() {
		t.Errorf("held again: %+v at %d", again.Session(), again.Revision())
	}
}

func TestWhatIsAbsentStaysAbsent(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	sparse := &sessiond.Session{
		DCs:  []sessiond.DataCenter{{ID: 2}},
		User: &sessiond.User{ID: 1, DC: 2},
	}
	ok(hold.Save(ctx, sparse))(t)
	if loaded := ok(hold.Load(ctx))(t); !reflect.DeepEqual(loaded.Session, sparse) {
		t.Errorf("read: %+v", loaded.Session)
	}
	ok(hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(0)), Date: new(int64(0))}))(t)
	if state := ok(hold.Load(ctx))(t).Session.State; !reflect.DeepEqual(state, &sessiond.UpdateState{}) {
		t.Errorf("state: %+v", state)
	}
}

func TestWithoutAHoldNoKeyIsTold(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	ok(hold.Save(ctx, full(t)))(t)
	loaded := ok(client.Load(ctx, "alice"))(t)
	dc := loaded.Session.DC(1)
	if !dc.HasAuth || !dc.Auth.IsZero() {
		t.Errorf("a key that is withheld: %+v", dc)
	}
	_, err := hold.Save(ctx, loaded.Session)
	var invalid *sessiond.InvalidArgumentError
	if !errors.As(err, &invalid) || invalid.Reason != sessiond.InvalidSession {
		t.Errorf("saved without its key: %v", err)
	}
	ok(hold.Merge(ctx, loaded.Session))(t)
	if !ok(hold.Load(ctx))(t).Session.DC(1).Auth.Equal(key(t, 1)) {
		t.Error("a merge has taken the key away")
	}
}

func TestAMergeForgetsFirstWhatClearNames(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	ok(hold.Save(ctx, full(t)))(t)
	clear := sessiond.Clear{User: true, State: true, AuthDCs: []int32{1}}
	ok(hold.MergeAfterClear(ctx, &sessiond.Session{}, clear))(t)
	session := ok(hold.Load(ctx))(t).Session
	if session.User != nil || session.State != nil || session.DC(1).HasAuth || !session.DC(math.MaxInt32).HasAuth {
		t.Errorf("read: %+v", session)
	}
}

func TestWhoComesSecondIsToldWhoHolds(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	first := ok(daemon.connect(t).Hold(ctx, "alice", sessiond.Label("first")))(t)
	second := daemon.connect(t, sessiond.Label("second"))
	_, err := second.Hold(ctx, "alice")
	var held *sessiond.HeldByAnotherError
	if !errors.As(err, &held) || held.Label != "first" || int(held.PID) != syscall.Getpid() || held.Since.IsZero() {
		t.Fatalf("held: %v", err)
	}
	waiting := make(chan sessiond.Waiting, 10)
	granted := make(chan *sessiond.Hold, 1)
	go func() {
		hold, err := second.Hold(ctx, "alice", sessiond.Wait(), sessiond.OnWaiting(func(w sessiond.Waiting) { waiting <- w }))
		if err != nil {
			t.Error(err)
		}
		granted <- hold
	}()
	if told := <-waiting; told.Position != 1 || told.Holder == nil || told.Holder.Label != "first" {
		t.Errorf("waiting: %+v", told)
	}
	succeeds(t, first.Release(ctx))
	if hold := <-granted; hold.Fence() <= first.Fence() {
		t.Errorf("fences: %d, then %d", first.Fence(), hold.Fence())
	}
}

func TestWhoWaitsLeavesTheLineWithTheContext(t *testing.T) {
	daemon := startDaemon(t)
	ok(daemon.connect(t).Hold(within(t), "alice"))(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := daemon.connect(t).Hold(ctx, "alice", sessiond.Wait(), sessiond.OnWaiting(func(sessiond.Waiting) { cancel() }))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = daemon.connect(t).Hold(ctx, "alice", sessiond.Wait())
	var unavailable *sessiond.UnavailableError
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &unavailable) {
		t.Errorf("a daemon that answers is not unavailable: %v", err)
	}
}

func TestALostHoldIsLoud(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	succeeds(t, client.EndHold(ctx, "alice"))
	<-hold.Context().Done()
	isLost := func(err error, reason sessiond.LostReason) {
		t.Helper()
		var lost *sessiond.LostError
		if !errors.As(err, &lost) || lost.Reason != reason {
			t.Errorf("lost: %v", err)
		}
	}
	isLost(context.Cause(hold.Context()), sessiond.EndedByAdmin)
	_, err := hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))})
	isLost(err, sessiond.EndedByAdmin)
	_, err = hold.AdvanceStream().Push(ctx, sessiond.StateChange{Pts: new(int32(1))})
	isLost(err, sessiond.EndedByAdmin)
	for _, err := range hold.ListPeers(ctx, sessiond.PeerFilter{}) {
		isLost(err, sessiond.EndedByAdmin)
	}
	isLost(hold.Release(ctx), sessiond.EndedByAdmin)
	ok(client.Hold(ctx, "alice", sessiond.Wait()))(t)
}

func TestATokenIsGoodForAnotherProcessUntilItIsFenced(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	hold := ok(daemon.connect(t).Hold(ctx, "alice"))(t)
	token := ok(sessiond.ParseToken(hold.Token().ExposeHex()))(t)
	held := ok(daemon.connect(t).Held("alice", token))(t)
	ok(held.Save(ctx, full(t)))(t)
	succeeds(t, hold.Release(ctx))
	ok(daemon.connect(t).Hold(ctx, "alice"))(t)
	if _, err := held.Load(ctx); !errors.Is(err, sessiond.ErrFenced) {
		t.Errorf("fenced: %v", err)
	}
	if cause := context.Cause(held.Context()); !errors.Is(cause, sessiond.ErrFenced) {
		t.Errorf("cause: %v", cause)
	}
}

func TestAHoldAndItsWritesOutlastTheDaemon(t *testing.T) {
	daemon := startDaemon(t)
	client := daemon.connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		daemon.end(signal)
		written := make(chan error, 1)
		go func() {
			_, err := hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(signal))})
			written <- err
		}()
		succeeds(t, daemon.start())
		succeeds(t, <-written)
	}
	if err := context.Cause(hold.Context()); err != nil {
		t.Errorf("lost: %v", err)
	}
	if state := ok(hold.Load(ctx))(t).Session.State; state.Pts != int32(syscall.SIGTERM) {
		t.Errorf("state: %+v", state)
	}
	succeeds(t, hold.Release(ctx))
	succeeds(t, hold.Release(ctx))
}

func TestAWriteIsRefusedAtAnotherRevision(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	change := sessiond.StateChange{Pts: new(int32(1))}
	revision := ok(hold.Advance(ctx, change, sessiond.IfRevision(0)))(t)
	_, err := hold.Advance(ctx, change, sessiond.IfRevision(revision-1))
	var mismatch *sessiond.RevisionMismatchError
	if !errors.As(err, &mismatch) || mismatch.Current != revision {
		t.Errorf("mismatch: %v", err)
	}
	ok(hold.Delete(ctx, sessiond.IfRevision(revision)))(t)
	_, err = hold.Save(ctx, nil)
	if invalid := (*sessiond.InvalidArgumentError)(nil); !errors.As(err, &invalid) {
		t.Errorf("saved nothing: %v", err)
	}
	if nothing := ok(hold.Delete(ctx))(t); nothing != 0 {
		t.Errorf("nothing was deleted at %d", nothing)
	}
}

func TestARequestIDMakesAWriteTakeEffectOnce(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	advance := func(pts int32, id string) (int64, error) {
		return hold.Advance(ctx, sessiond.StateChange{Pts: &pts}, sessiond.RequestID(id))
	}
	first := ok(advance(1, "a"))(t)
	ok(advance(2, "b"))(t)
	if again := ok(advance(1, "a"))(t); again != first {
		t.Errorf("again: %d, not %d", again, first)
	}
	_, err := advance(3, "a")
	var invalid *sessiond.InvalidArgumentError
	if !errors.As(err, &invalid) || invalid.Reason != sessiond.RequestIDReused {
		t.Errorf("reused: %v", err)
	}
}
