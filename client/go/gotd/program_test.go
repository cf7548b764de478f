package gotd_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// programVariable makes this executable the program of these settings, in place of the tests.
const programVariable = "GOTD_PROGRAM"

// settings are what a program is started with.
type settings struct {
	Label, Socket string
	Keys          string // PEM
	DCs           []tg.DCOption
	FirstDC       int // where it connects to log in
}

func TestMain(m *testing.M) {
	if given := os.Getenv(programVariable); given != "" {
		if err := runProgram(given); err != nil {
			say(line{Error: err.Error()})
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runProgram is the recipe, which says what it receives.
func runProgram(given string) error {
	var settings settings
	if err := json.Unmarshal([]byte(given), &settings); err != nil {
		return err
	}
	client, err := sessiond.Connect(sessiond.Socket(settings.Socket), sessiond.Label(settings.Label))
	if err != nil {
		return err
	}
	defer client.Close()
	keys, err := crypto.ParseRSAPublicKeys([]byte(settings.Keys))
	if err != nil {
		return err
	}
	handler := telegram.UpdateHandlerFunc(func(_ context.Context, received tg.UpdatesClass) error {
		for _, update := range received.(*tg.Updates).Updates {
			switch update := update.(type) {
			case *tg.UpdateNewMessage:
				say(line{Message: update.Message.GetID()})
			case *tg.UpdateNewChannelMessage:
				say(line{Post: update.Message.GetID()})
			}
		}
		return nil
	})
	return bot(context.Background(), client, 1, "hash", "1:token", optionsFor(keys, settings.DCs, settings.FirstDC), handler)
}

// optionsFor are what lets stock gotd talk to a Telegram that is not Telegram's.
func optionsFor(keys []*rsa.PublicKey, addresses []tg.DCOption, firstDC int) telegram.Options {
	options := telegram.Options{
		DC:       firstDC,
		DCList:   dcs.List{Options: addresses},
		Resolver: dcs.Plain(dcs.PlainOptions{Protocol: transport.Intermediate}),
	}
	for _, key := range keys {
		options.PublicKeys = append(options.PublicKeys, telegram.PublicKey{RSA: key})
	}
	return options
}

var saying sync.Mutex

func say(said line) {
	saying.Lock()
	defer saying.Unlock()
	text, err := json.Marshal(said)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

// startProgram starts gotd's program, which ends with the test.
func startProgram(t *testing.T, label string, daemon *daemon, side *loopback.Telegram, firstDC int) *program {
	t.Helper()
	given := ok(json.Marshal(settingsFor(t, label, daemon, side, firstDC)))(t)
	command := exec.Command(ok(os.Executable())(t))
	command.Env = append(os.Environ(), programVariable+"="+string(given))
	return start(t, command, heardJSON)
}

func settingsFor(t *testing.T, label string, daemon *daemon, side *loopback.Telegram, firstDC int) settings {
	var keys strings.Builder
	for _, key := range side.Keys() {
		block := pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(key)}
		succeeds(t, pem.Encode(&keys, &block))
	}
	return settings{label, daemon.socket, keys.String(), side.Options(), firstDC}
}
