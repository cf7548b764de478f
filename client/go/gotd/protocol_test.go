package gotd_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/tg"

	"sessiond.invalid/client/go/gotd"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

func TestWhoIsKilledIsTakenOverFromWithTheSameKeyAndStateAndNothingIsMissed(t *testing.T) {
	t.Parallel()
	daemon := startDaemon(t)
	client := daemon.connect(t)
	grants := followGrants(t, client)
	side, stop := startTelegram(t)
	first := startProgram(t, daemon, side, 2)
	isBusy(t, first, 100)
	second := startProgram(t, daemon, side, 2)
	isWaiting(t, client, 1)
	isBusy(t, first, 100)
	begun := len(side.Begun())

	first.end(syscall.SIGKILL)
	isBusy(t, second, 100)
	stop()
	last := side.Sent()
	eventually(t, "the second program does not receive everything", func() bool {
		messages, posts := second.received()
		return len(messages) > 0 && messages[len(messages)-1] == last && len(posts) > 0 && posts[len(posts)-1] == last
	})

	granted := grants.to(t, second)
	handled, read := first.received()
	if pts := int(granted.Pts); pts > handled[len(handled)-1] || pts < handled[len(handled)-1]-50 {
		t.Errorf("the state that was left is at %d, the last message handled was %d", pts, handled[len(handled)-1])
	}
	if pts := int(granted.Channels[0].Pts); pts > read[len(read)-1] {
		t.Errorf("the channel that was left is at %d, the last post handled was %d", pts, read[len(read)-1])
	}
	if from := side.Begun()[begun]; from != int(granted.Pts) {
		t.Errorf("the second program begins at %d, the state was at %d", from, granted.Pts)
	}
	messages, posts := second.received()
	isWhole(t, "messages", messages, int(granted.Pts)+1, last)
	isWhole(t, "posts", posts, int(granted.Channels[0].Pts)+1, last)
	// DC 2 knows one key, from where the account was sent home, and DC 4 the other.
	if keys, loggedIn := side.Connections.Keys(), side.LoggedIn(); keys != 2 || loggedIn != 1 {
		t.Errorf("%d keys were used, the account is logged in by %d", keys, loggedIn)
	}
	if most := side.Connections.MostAtOnce(); most != 1 {
		t.Errorf("%d connections at once used one key", most)
	}

	if failure := second.end(syscall.SIGTERM); failure != "" {
		t.Errorf("the second program ends with %s", failure)
	}
	if account, channel := stored(t, client); account != last || channel != last {
		t.Errorf("stored: %d and %d, sent: %d", account, channel, last)
	}
}

func TestTheDaemonsRestartIsNotNoticedByWhoIsConnected(t *testing.T) {
	t.Parallel()
	daemon := startDaemon(t)
	client := daemon.connect(t)
	side, stop := startTelegram(t)
	program := startProgram(t, daemon, side, loopback.HomeDC)
	isBusy(t, program, 50)
	connected := side.Connections.All()
	before, beforePosts := program.received()
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		daemon.end(signal)
		isBusy(t, program, 50)
		daemon.start(t)
		isBusy(t, program, 50)
	}
	stop()
	last := side.Sent()
	eventually(t, "the last state is not stored", func() bool {
		account, channel := stored(t, client)
		return account == last && channel == last
	})
	messages, posts := program.received()
	isWhole(t, "messages", messages, before[len(before)-1], last)
	isWhole(t, "posts", posts, beforePosts[len(beforePosts)-1], last)
	if now := side.Connections.All(); now != connected {
		t.Errorf("%d connections were made anew", now-connected)
	}
}

func TestWhoLosesTheHoldLeavesTelegramBeforeTheNextComes(t *testing.T) {
	t.Parallel()
	daemon := startDaemon(t)
	client := daemon.connect(t)
	side, _ := startTelegram(t)
	first := startProgram(t, daemon, side, loopback.HomeDC)
	isBusy(t, first, 50)
	second := startProgram(t, daemon, side, loopback.HomeDC)
	isWaiting(t, client, 1)
	succeeds(t, client.EndHold(t.Context(), "alice"))
	if failure := first.wait(); !strings.Contains(failure, "the hold was lost") {
		t.Errorf("it ends with %q", failure)
	}
	isBusy(t, second, 50)
	if most := side.Connections.MostAtOnce(); most != 1 {
		t.Errorf("%d connections at once used one key", most)
	}
}

func TestAfterALogOutNobodyConnectsWithoutLoggingIn(t *testing.T) {
	t.Parallel()
	client := startDaemon(t).connect(t)
	side, stop := startTelegram(t)
	stop()
	ctx := within(t)
	run := func(use func(context.Context, *telegram.Client, *gotd.Session) error, options ...gotd.Option) error {
		alice := gotd.New(ok(client.Hold(ctx, "alice"))(t), options...)
		defer func() { succeeds(t, alice.Release(ctx)) }()
		settings := optionsFor(side.Keys(), side.Options(), loopback.HomeDC)
		settings.SessionStorage = alice
		user := telegram.NewClient(1, "hash", settings)
		return user.Run(ctx, func(ctx context.Context) error { return use(ctx, user, alice) })
	}
	succeeds(t, run(func(ctx context.Context, user *telegram.Client, _ *gotd.Session) error {
		code := auth.CodeAuthenticatorFunc(func(context.Context, *tg.AuthSentCode) (string, error) { return loopback.Code, nil })
		return auth.NewFlow(auth.CodeOnly(loopback.Phone, code), auth.SendCodeOptions{}).Run(ctx, user.Auth())
	}))
	succeeds(t, run(func(ctx context.Context, user *telegram.Client, alice *gotd.Session) error {
		if _, err := user.API().AuthLogOut(ctx); err != nil {
			return err
		}
		return alice.Delete(ctx)
	}, gotd.RequireLogin()))
	connected := side.Connections.All()
	err := run(func(context.Context, *telegram.Client, *gotd.Session) error { return nil }, gotd.RequireLogin())
	if !errors.Is(err, gotd.ErrLoggedOut) || side.Connections.All() != connected || side.LoggedIn() != 0 {
		t.Errorf("run: %v", err)
	}
}
