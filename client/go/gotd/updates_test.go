package gotd_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotd/td/telegram/updates"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd"
)

// anna is the id of a user that logs in.
const anna = 868231286072

func state(pts int) updates.State {
	return updates.State{Pts: pts, Qts: 2, Date: 1_790_000_000, Seq: 4}
}

func TestStatesAndAccessHashesComeBackAsGotdSetThem(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	hold := ok(daemon.connect(t).Hold(ctx, "alice"))(t)
	alice := gotd.New(hold)
	states := alice.Updates()
	if _, found, err := states.GetState(ctx, anna); found || err != nil {
		t.Fatalf("a new session: %v, %v", found, err)
	}
	succeeds(t, states.SetState(ctx, anna, state(1)))
	succeeds(t, states.SetChannelPts(ctx, anna, 5, 50))
	succeeds(t, states.SetChannelAccessHash(ctx, anna, 5, -55))
	succeeds(t, states.SetUserAccessHash(ctx, anna, 5, 555))
	for pts := range 100 {
		succeeds(t, states.SetPts(ctx, anna, pts))
		succeeds(t, states.SetChannelPts(ctx, anna, 6, pts))
	}
	succeeds(t, states.SetQts(ctx, anna, 20))
	succeeds(t, states.SetDateSeq(ctx, anna, 1_790_000_001, 40))
	succeeds(t, alice.Release(ctx))

	alice = gotd.New(ok(daemon.connect(t).Hold(ctx, "alice"))(t))
	states = alice.Updates()
	read, found, err := states.GetState(ctx, anna)
	if want := (updates.State{Pts: 99, Qts: 20, Date: 1_790_000_001, Seq: 40}); read != want || !found || err != nil {
		t.Errorf("state: %+v, %v, %v", read, found, err)
	}
	channels := make(map[int64]int)
	succeeds(t, states.ForEachChannels(ctx, anna, func(ctx context.Context, id int64, pts int) error {
		_, _, err := states.GetChannelAccessHash(ctx, anna, id) // as gotd asks in the midst of it
		channels[id] = pts
		return err
	}))
	if !maps.Equal(channels, map[int64]int{5: 50, 6: 99}) {
		t.Errorf("channels: %v", channels)
	}
	if hash, found, err := states.GetChannelAccessHash(ctx, anna, 5); hash != -55 || !found || err != nil {
		t.Errorf("channel 5: %d, %v, %v", hash, found, err)
	}
	if hash, found, err := states.GetUserAccessHash(ctx, anna, 5); hash != 555 || !found || err != nil {
		t.Errorf("user 5: %d, %v, %v", hash, found, err)
	}
	if _, found, err := states.GetUserAccessHash(ctx, anna, 6); found || err != nil {
		t.Errorf("user 6: %v, %v", found, err)
	}
}

func TestTheFirstUserIsStoredAndAnotherIsRefused(t *testing.T) {
	ctx := within(t)
	client := startDaemon(t).connect(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	ok(hold.Merge(ctx, &sessiond.Session{HomeDC: new(int32(4))}))(t)
	states := gotd.New(hold, gotd.WithBot(true)).Updates()
	if _, _, err := states.GetState(ctx, anna); err != nil {
		t.Fatal(err)
	}
	user := ok(hold.Load(ctx))(t).Session.User
	if want := (&sessiond.User{ID: anna, DC: 4, Bot: new(true)}); !reflect.DeepEqual(user, want) {
		t.Errorf("user: %+v", user)
	}
	_, _, err := states.GetState(ctx, 7)
	if err == nil || !strings.Contains(err.Error(), "868231286072") || !strings.Contains(err.Error(), "user 7") {
		t.Errorf("another user: %v", err)
	}
	if err := states.SetState(ctx, 7, state(1)); err == nil {
		t.Error("another user's state was taken")
	}
}

func TestACounterIsRefusedWithoutAStateAndWhereItIsNone(t *testing.T) {
	ctx := within(t)
	states := gotd.New(ok(startDaemon(t).connect(t).Hold(ctx, "alice"))(t)).Updates()
	for name, err := range map[string]error{
		"pts": states.SetPts(ctx, anna, 1), "qts": states.SetQts(ctx, anna, 1), "seq": states.SetSeq(ctx, anna, 1),
		"date": states.SetDate(ctx, anna, 1), "date and seq": states.SetDateSeq(ctx, anna, 1, 1),
		"channel": states.SetChannelPts(ctx, anna, 5, 1),
	} {
		if err == nil {
			t.Errorf("%s was set without a state", name)
		}
	}
	succeeds(t, states.SetState(ctx, anna, state(1)))
	for _, pts := range []int{-1, 1 << 31} {
		if states.SetPts(ctx, anna, pts) == nil || states.SetChannelPts(ctx, anna, 5, pts) == nil {
			t.Errorf("%d was taken for a pts", pts)
		}
	}
	if states.SetChannelPts(ctx, anna, 0, 1) == nil || states.SetChannelAccessHash(ctx, anna, -5, 1) == nil ||
		states.SetUserAccessHash(ctx, anna, 0, 1) == nil {
		t.Error("an id was taken that is none")
	}
	if read, _, err := states.GetState(ctx, anna); read != state(1) || err != nil {
		t.Errorf("state: %+v, %v", read, err)
	}
}

func TestARouteLeadsToTheSessionOfEachUser(t *testing.T) {
	ctx := within(t)
	client := startDaemon(t).connect(t)
	sessions := make(map[int64]*gotd.Session)
	for id, name := range map[int64]string{anna: "anna", 7: "bob"} {
		sessions[id] = gotd.New(ok(client.Hold(ctx, name))(t))
	}
	unknown := errors.New("no session of this user")
	states := gotd.Route(func(userID int64) (*gotd.Session, error) {
		if session, is := sessions[userID]; is {
			return session, nil
		}
		return nil, unknown
	})
	succeeds(t, states.SetState(ctx, anna, state(1)))
	succeeds(t, states.SetState(ctx, 7, state(2)))
	if err := states.SetState(ctx, 8, state(3)); !errors.Is(err, unknown) {
		t.Errorf("user 8: %v", err)
	}
	for id, name := range map[int64]string{anna: "anna", 7: "bob"} {
		succeeds(t, sessions[id].Release(ctx))
		stored := ok(client.Load(ctx, name))(t).Session
		if stored.User.ID != id || stored.State.Pts != map[int64]int32{anna: 1, 7: 2}[id] {
			t.Errorf("%s: %+v, %+v", name, stored.User, stored.State)
		}
	}
}

func TestADaemonThatIsAwayIsNoError(t *testing.T) {
	daemon := startDaemon(t)
	client := daemon.connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	alice := gotd.New(hold)
	states := alice.Updates()
	succeeds(t, states.SetState(ctx, anna, state(1)))
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		daemon.end(signal)
		for pts := range 50 {
			succeeds(t, states.SetPts(ctx, anna, 1000*int(signal)+pts))
			succeeds(t, states.SetChannelPts(ctx, anna, 5, 1000*int(signal)+pts))
			succeeds(t, states.SetUserAccessHash(ctx, anna, int64(pts+1), int64(signal)))
		}
		daemon.start(t)
		succeeds(t, alice.Flush(ctx))
		stored := ok(hold.Load(ctx))(t).Session.State
		last := 1000*int32(signal) + 49
		if stored.Pts != last || !reflect.DeepEqual(stored.Channels, []sessiond.ChannelState{{ID: 5, Pts: last}}) {
			t.Errorf("stored: %+v", stored)
		}
		if hash := ok(hold.Peers(ctx, sessiond.PeerID(50)))(t)[0].AccessHash; *hash != int64(signal) {
			t.Error("an access hash was lost")
		}
	}
	if err := context.Cause(alice.Context()); err != nil {
		t.Errorf("lost: %v", err)
	}
}

func TestADaemonThatIsAwayTooLongIsAnErrorAndNothingIsLost(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	hold := ok(daemon.connect(t, sessiond.Deadline(200*time.Millisecond)).Hold(ctx, "alice"))(t)
	alice := gotd.New(hold)
	states := alice.Updates()
	succeeds(t, states.SetState(ctx, anna, state(1)))
	succeeds(t, alice.Flush(ctx))
	daemon.end(syscall.SIGKILL)
	succeeds(t, states.SetPts(ctx, anna, 2))
	var unavailable *sessiond.UnavailableError
	if err := alice.Flush(ctx); !errors.As(err, &unavailable) {
		t.Errorf("flushed: %v", err)
	}
	if err := states.SetPts(ctx, anna, 3); !errors.As(err, &unavailable) {
		t.Errorf("set: %v", err)
	}
	daemon.start(t)
	for err := error(unavailable); err != nil; err = alice.Flush(ctx) {
		if !errors.As(err, &unavailable) {
			t.Fatal(err)
		}
	}
	if pts := ok(hold.Load(ctx))(t).Session.State.Pts; pts != 3 {
		t.Errorf("pts: %d", pts)
	}
}

func TestALostHoldIsLoud(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	alice := gotd.New(ok(client.Hold(ctx, "alice"))(t))
	states := alice.Updates()
	succeeds(t, states.SetState(ctx, anna, state(1)))
	succeeds(t, client.EndHold(ctx, "alice"))
	<-alice.Context().Done()
	isLost(t, context.Cause(alice.Context()))
	isLost(t, states.SetPts(ctx, anna, 2))
	_, err := alice.LoadSession(ctx)
	isLost(t, err)
	isLost(t, alice.Release(ctx))
	ok(client.Hold(ctx, "alice", sessiond.Wait()))(t)
}
