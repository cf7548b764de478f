package gotd_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd"
)

const (
	appID   = 12345
	appHash = "0123456789abcdef0123456789abcdef"
)

// options need neither addresses nor anything else that is special.
var options telegram.Options

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	client, err := sessiond.Connect()
	if err != nil {
		return err
	}
	defer client.Close()
	hold, err := client.Hold(ctx, "alice", sessiond.Wait())
	if err != nil {
		return err
	}
	alice := gotd.New(hold, gotd.WithBot(false))
	defer alice.Release(ctx) // once Run has closed the connection to Telegram

	states := alice.Updates()
	manager := updates.New(updates.Config{
		Handler: router(), Storage: states, AccessHasher: states, UserAccessHasher: states,
	})
	options.SessionStorage, options.UpdateHandler = alice, manager
	user := telegram.NewClient(appID, appHash, options)

	ctx, stop := signal.NotifyContext(alice.Context(), os.Interrupt, syscall.SIGTERM) // ends with the hold, if that is lost
	defer stop()
	err = user.Run(ctx, func(ctx context.Context) error {
		// The phone number, and the password if there is one, are TELEGRAM_PHONE and TELEGRAM_PASSWORD.
		login := auth.NewFlow(auth.Env("TELEGRAM_", auth.CodeAuthenticatorFunc(code)), auth.SendCodeOptions{})
		if err := user.Auth().IfNecessary(ctx, login); err != nil {
			return err
		}
		self, err := user.Self(ctx)
		if err != nil {
			return err
		}
		return manager.Run(ctx, user.API(), self.ID, updates.AuthOptions{IsBot: self.Bot})
	})
	return errors.Join(err, context.Cause(alice.Context())) // Run says nothing of a hold that was lost
}

// router calls the handler that an update is for.
func router() telegram.UpdateHandler {
	router := tg.NewUpdateDispatcher()
	router.OnNewMessage(func(_ context.Context, _ tg.Entities, update *tg.UpdateNewMessage) error {
		fmt.Println("message", update.Message.GetID())
		return nil
	})
	router.OnNewChannelMessage(func(_ context.Context, _ tg.Entities, update *tg.UpdateNewChannelMessage) error {
		fmt.Println("post", update.Message.GetID())
		return nil
	})
	return router
}

// code asks for the code that Telegram sent, at the first login alone: the key that it leads to is stored.
func code(context.Context, *tg.AuthSentCode) (code string, err error) {
	fmt.Fprint(os.Stderr, "code: ")
	_, err = fmt.Scanln(&code)
	return code, err
}
