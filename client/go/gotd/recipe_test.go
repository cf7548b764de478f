package gotd_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/updates"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd"
)

// bot is a program on gotd, as docs/libraries.md has it. The tests run it.
func bot(
	ctx context.Context, client *sessiond.Client, appID int, appHash, token string,
	options telegram.Options, handler telegram.UpdateHandler,
) error {
	hold, err := client.Hold(ctx, "alice", sessiond.Wait())
	if err != nil {
		return err
	}
	alice := gotd.New(hold, gotd.WithBot(true))
	defer alice.Release(context.WithoutCancel(ctx)) // once Run has closed the connection to Telegram

	states := alice.Updates()
	manager := updates.New(updates.Config{
		Handler: handler, Storage: states, AccessHasher: states, UserAccessHasher: states,
	})
	options.SessionStorage, options.UpdateHandler = alice, manager
	bot := telegram.NewClient(appID, appHash, options)

	ctx, stop := signal.NotifyContext(alice.Context(), os.Interrupt, syscall.SIGTERM) // ends with the hold, if that is lost
	defer stop()
	err = bot.Run(ctx, func(ctx context.Context) error {
		status, err := bot.Auth().Status(ctx)
		if err == nil && !status.Authorized {
			_, err = bot.Auth().Bot(ctx, token)
		}
		if err != nil {
			return err
		}
		self, err := bot.Self(ctx)
		if err != nil {
			return err
		}
		return manager.Run(ctx, bot.API(), self.ID, updates.AuthOptions{IsBot: true})
	})
	return errors.Join(err, context.Cause(alice.Context())) // Run says nothing of a hold that was lost
}

func TestTheRecipeIsTheProgramThatIsRun(t *testing.T) {
	source := string(ok(os.ReadFile("recipe_test.go"))(t))
	_, body, _ := strings.Cut(source, "options telegram.Options, handler telegram.UpdateHandler,\n) error {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	recipe := "```go\n" + strings.ReplaceAll(strings.TrimPrefix(body, "\t"), "\n\t", "\n") + "\n```\n"
	if !strings.Contains(string(ok(os.ReadFile("../../../docs/libraries.md"))(t)), recipe) {
		t.Errorf("docs/libraries.md does not have this:\n%s", recipe)
	}
}
