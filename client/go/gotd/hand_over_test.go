package gotd_test

import (
	"syscall"
	"testing"
	"time"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// pace is how often a message is sent where a library has to keep up that is slower than gotd.
const pace = 10 * time.Millisecond

// account is a session with all that there is to see of it.
type account struct {
	daemon *daemon
	client *sessiond.Client
	side   *loopback.Telegram
	grants *grants
}

func startAccount(t *testing.T) *account {
	t.Helper()
	daemon := startDaemon(t)
	client := daemon.connect(t)
	side, stop := startTelegram(t)
	stop()
	return &account{daemon, client, side, followGrants(t, client)}
}

func TestASessionGoesFromGotdToOtherLibrariesAndBackWithItsKeyAndState(t *testing.T) {
	t.Parallel()
	for _, library := range libraries {
		t.Run(library.name, func(t *testing.T) {
			t.Parallel()
			library.command(t, settings{}) // skips before anything is started
			alice := startAccount(t)
			gotd := func() *program { return startProgram(t, alice.daemon, alice.side, 2) }
			other := func() *program { return library.start(t, alice.daemon, alice.side) }

			stop := startSending(t, alice.side, pace)
			first := gotd()
			second := alice.isKilledFor(t, first, other, 0)
			third := alice.isKilledFor(t, second, other, library.ahead)
			stop()
			alice.isClosedWhole(t, third)
			stop = startSending(t, alice.side, pace)
			fourth := gotd()
			alice.goesOn(t, fourth)
			stop()
			alice.isClosedWhole(t, fourth)
			// DC 2 knows one key, from where the account was sent home, and DC 4 the other.
			alice.isTheOnlyOne(t, 2)
		})
	}
}

// isKilledFor kills a program in mid-stream while another one waits, which goes on from the state that was reported last.
func (a *account) isKilledFor(t *testing.T, before *program, start func() *program, ahead int) (next *program) {
	t.Helper()
	isBusy(t, before, 50)
	next = start()
	isWaiting(t, a.client, 1)
	isBusy(t, before, 50)
	before.end(syscall.SIGKILL)
	left := a.goesOn(t, next)
	messages, posts := before.received()
	if handled := messages[len(messages)-1]; int(left.Pts) > handled+ahead {
		t.Errorf("the state that was left is at %d, the last message handled was %d", left.Pts, handled)
	}
	if handled := posts[len(posts)-1]; int(left.Channels[0].Pts) > handled+ahead {
		t.Errorf("the channel that was left is at %d, the last post handled was %d", left.Channels[0].Pts, handled)
	}
	return next
}

// goesOn waits until a program has received updates, and fails the test unless these are all since the state that it found.
func (a *account) goesOn(t *testing.T, p *program) (found sessiond.UpdateState) {
	t.Helper()
	found = a.grants.to(t, p)
	isBusy(t, p, 50)
	begun := a.side.Begun()
	if from := begun[len(begun)-1]; from != int(found.Pts) {
		t.Errorf("a program begins at %d, the state was at %d", from, found.Pts)
	}
	messages, posts := p.received()
	isWhole(t, "messages", messages, int(found.Pts)+1, messages[len(messages)-1])
	isWhole(t, "posts", posts, int(found.Channels[0].Pts)+1, posts[len(posts)-1])
	return found
}

// isClosedWhole ends a program once it has received everything, and fails the test unless that is the state that is stored.
func (a *account) isClosedWhole(t *testing.T, p *program) {
	t.Helper()
	last := a.side.Sent()
	eventually(t, "a program does not receive everything", func() bool {
		messages, posts := p.received()
		return len(messages) > 0 && messages[len(messages)-1] == last && len(posts) > 0 && posts[len(posts)-1] == last
	})
	if failure := p.end(syscall.SIGINT); failure != "" {
		t.Errorf("a program ends with %s", failure)
	}
	if account, channel := stored(t, a.client); account != last || channel != last {
		t.Errorf("stored: %d and %d, sent: %d", account, channel, last)
	}
}

// isTheOnlyOne fails the test if there was ever a second connection of a key, or a second login.
func (a *account) isTheOnlyOne(t *testing.T, keys int) {
	t.Helper()
	if used, loggedIn := a.side.Connections.Keys(), a.side.LoggedIn(); used != keys || loggedIn != 1 {
		t.Errorf("%d keys were used, the account is logged in by %d", used, loggedIn)
	}
	if most := a.side.Connections.MostAtOnce(); most != 1 {
		t.Errorf("%d connections at once used one key", most)
	}
}

func TestMtcuteLogsInAndGotdGoesOn(t *testing.T) {
	t.Parallel()
	mtcute := libraries[2]
	mtcute.command(t, settings{})
	alice := startAccount(t)
	stop := startSending(t, alice.side, pace)
	first := mtcute.start(t, alice.daemon, alice.side)
	second := alice.isKilledFor(t, first, func() *program { return mtcute.start(t, alice.daemon, alice.side) }, mtcute.ahead)
	third := alice.isKilledFor(t, second, func() *program {
		return startProgram(t, alice.daemon, alice.side, 2)
	}, mtcute.ahead)
	stop()
	alice.isClosedWhole(t, third)
	alice.isTheOnlyOne(t, 2)
}
