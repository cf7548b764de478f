package gotd_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/transport"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// programVariable makes this executable the recipe, in place of the tests, with Telegram where it says.
const programVariable = "GOTD_PROGRAM"

// settings are where Telegram is.
type settings struct {
	Keys    string // PEM
	DCs     []tg.DCOption
	FirstDC int    // where a program connects to log in
	File    string // gotd's own file, where the program is the recipe without sessiond
}

func TestMain(m *testing.M) {
	if file := os.Getenv(storingVariable); file != "" {
		panic(storeForEver(file))
	}
	given := os.Getenv(programVariable)
	if given == "" {
		os.Exit(m.Run())
	}
	var settings settings
	if err := json.Unmarshal([]byte(given), &settings); err != nil {
		panic(err)
	}
	keys, err := crypto.ParseRSAPublicKeys([]byte(settings.Keys))
	if err != nil {
		panic(err)
	}
	options = optionsFor(keys, settings.DCs, settings.FirstDC)
	if settings.File != "" {
		panic(runOnFile(context.Background(), settings.File))
	}
	main()
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

// startProgram starts the recipe, which ends with the test.
func startProgram(t *testing.T, daemon *daemon, side *loopback.Telegram, firstDC int) *program {
	t.Helper()
	return startWith(t, settingsFor(t, side, firstDC), sessiond.SocketVariable+"="+daemon.socket)
}

// startWith starts a program that logs in by itself.
func startWith(t *testing.T, settings settings, environment ...string) *program {
	t.Helper()
	given := ok(json.Marshal(settings))(t)
	command := exec.Command(ok(os.Executable())(t))
	command.Env = append(os.Environ(), programVariable+"="+string(given), "TELEGRAM_PHONE="+loopback.Phone)
	command.Env = append(command.Env, environment...)
	command.Stdin = strings.NewReader(loopback.Code + "\n")
	return start(t, command, said)
}

func settingsFor(t *testing.T, side *loopback.Telegram, firstDC int) settings {
	t.Helper()
	var keys strings.Builder
	for _, key := range side.Keys() {
		block := pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(key)}
		succeeds(t, pem.Encode(&keys, &block))
	}
	return settings{Keys: keys.String(), DCs: side.Options(), FirstDC: firstDC}
}
