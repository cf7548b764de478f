package gotd_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// startTelegram starts Telegram's side, which ends with the test and sends messages until then, or until stop.
func startTelegram(t *testing.T) (side *loopback.Telegram, stop func()) {
	t.Helper()
	side, wait, err := loopback.Serve(t.Context())
	succeeds(t, err)
	t.Cleanup(func() { succeeds(t, wait()) })
	return side, startSending(t, side, 2*time.Millisecond)
}

// startSending sends messages until the test ends, or until stop.
func startSending(t *testing.T, side *loopback.Telegram, every time.Duration) (stop func()) {
	sending, cancel := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for ticks := time.Tick(every); sending.Err() == nil; <-ticks {
			side.Send(sending)
		}
	}()
	stop = func() {
		cancel()
		<-sent
	}
	t.Cleanup(stop)
	return stop
}

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

// isBusy waits until a program has received this many more messages and posts.
func isBusy(t *testing.T, p *program, more int) {
	t.Helper()
	messages, posts := p.received()
	eventually(t, "a program receives no updates", func() bool {
		nowMessages, nowPosts := p.received()
		return len(nowMessages) >= len(messages)+more && len(nowPosts) >= len(posts)+more
	})
}

// isWaiting waits until this many clients stand in line.
func isWaiting(t *testing.T, client *sessiond.Client, count int32) {
	t.Helper()
	eventually(t, "nobody stands in line", func() bool {
		for session, err := range client.List(t.Context(), "alice") {
			if err == nil && session.Waiting == count {
				return true
			}
		}
		return false
	})
}

// isWhole fails the test unless these are the numbers from first to last, each once. What is before them came before gotd's
// manager ran, which passes that on as it comes.
func isWhole(t *testing.T, what string, numbers []int, first, last int) {
	t.Helper()
	whole := numbers[max(slices.Index(numbers, first), 0):]
	if len(whole) != last-first+1 || !slices.IsSorted(whole) || len(slices.Compact(slices.Clone(whole))) != len(whole) {
		t.Errorf("%s are not all of %d to %d, each once: %v", what, first, last, numbers)
	}
}

// stored are the account's pts and the channel's.
func stored(t *testing.T, client *sessiond.Client) (account, channel int) {
	t.Helper()
	state := ok(client.Load(t.Context(), "alice"))(t).Session.State
	if len(state.Channels) != 1 || state.Channels[0].ID != loopback.ChannelID {
		t.Fatalf("channels: %+v", state.Channels)
	}
	return int(state.Pts), int(state.Channels[0].Pts)
}

// grants are the states that the session had when it was granted, by the holders' process ids.
type grants struct {
	mutex  sync.Mutex
	states map[int]sessiond.UpdateState
}

// followGrants follows the session until the test ends.
func followGrants(t *testing.T, client *sessiond.Client) *grants {
	t.Helper()
	watch := ok(client.Watch(sessiond.WatchOptions{Names: []string{"alice"}}))(t)
	g := &grants{states: make(map[int]sessiond.UpdateState)}
	synced := make(chan struct{})
	go func() {
		var state sessiond.UpdateState
		for event, err := range watch.Events(t.Context()) {
			if err != nil {
				return
			}
			switch event := event.(type) {
			case sessiond.Synced:
				close(synced)
			case sessiond.Saved:
				if event.Session.State != nil {
					state = *event.Session.State
				}
			case sessiond.Advanced:
				state = changed(state, event.Change)
			case sessiond.HoldChanged:
				if event.Holder != nil {
					g.mutex.Lock()
					g.states[int(event.Holder.PID)] = state
					g.mutex.Unlock()
				}
			}
		}
	}()
	<-synced
	return g
}

// changed is a state after a change. There is one channel.
func changed(state sessiond.UpdateState, change sessiond.StateChange) sessiond.UpdateState {
	if change.Pts != nil {
		state.Pts = *change.Pts
	}
	if len(change.Channels) > 0 {
		state.Channels = change.Channels
	}
	return state
}

// to waits until the session is granted to a program, and gives the state that it had then.
func (g *grants) to(t *testing.T, p *program) (state sessiond.UpdateState) {
	t.Helper()
	eventually(t, "the session is not granted", func() (is bool) {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		state, is = g.states[p.process.Process.Pid]
		return is
	})
	return state
}
