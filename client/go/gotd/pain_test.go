package gotd_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/updates"
	"github.com/gotd/td/tg"

	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// What goes wrong with gotd's own file, and how the same program fares on sessiond. The table of it is in docs/libraries.md.

// storingVariable makes this executable a program that stores its session into this file again and again.
const storingVariable = "GOTD_STORING"

// kills is how often a process is killed at most, until its file is found torn. One in a few is.
const kills = 100

// runOnFile is the recipe without sessiond: gotd keeps the key in a file, and update states in memory.
func runOnFile(ctx context.Context, file string) error {
	manager := updates.New(updates.Config{Handler: router()})
	options.SessionStorage, options.UpdateHandler = &session.FileStorage{Path: file}, manager
	user := telegram.NewClient(appID, appHash, options)
	return user.Run(ctx, func(ctx context.Context) error {
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
}

// startOnFile starts it, to end with the test.
func startOnFile(t *testing.T, file string, side *loopback.Telegram) *program {
	t.Helper()
	settings := settingsFor(t, side, loopback.HomeDC)
	settings.File = file
	return startWith(t, settings)
}

// storeForEver stores as gotd does after every connect.
func storeForEver(file string) error {
	data := &session.Data{DC: 2, AuthKey: bytes.Repeat([]byte{1}, 256), AuthKeyID: bytes.Repeat([]byte{2}, 8)}
	for id := range 20 {
		data.Config.DCOptions = append(data.Config.DCOptions, tg.DCOption{ID: id%5 + 1, IPAddress: "149.154.167.50", Port: 443})
	}
	loader := session.Loader{Storage: &session.FileStorage{Path: file}}
	for stored := 0; ; stored++ {
		if err := loader.Save(context.Background(), data); err != nil {
			return err
		}
		if stored == 0 {
			_, _ = os.Stdout.WriteString("stored\n")
		}
	}
}

func TestAKillWhileGotdWritesItsFileLeavesItTorn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "session.json")
	loader := session.Loader{Storage: &session.FileStorage{Path: file}}
	for killed := 1; killed <= kills; killed++ {
		process := exec.Command(ok(os.Executable())(t))
		process.Env = append(os.Environ(), storingVariable+"="+file)
		process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		output := ok(process.StdoutPipe())(t)
		succeeds(t, process.Start())
		_ = ok(bufio.NewReader(output).ReadString('\n'))(t)
		succeeds(t, process.Process.Kill())
		_ = process.Wait()
		if _, err := loader.Load(t.Context()); err != nil {
			t.Logf("kill %d: %v; %d bytes are left", killed, err, ok(os.Stat(file))(t).Size())
			return
		}
	}
	t.Errorf("the file was whole after each of %d kills: docs/libraries.md says otherwise", kills)
}

func TestTwoProcessesOnGotdsFileAreConnectedByOneKeyAtOnce(t *testing.T) {
	side, _ := startTelegram(t)
	file := filepath.Join(t.TempDir(), "session.json")
	isBusy(t, startOnFile(t, file, side), 3)
	startOnFile(t, file, side)
	// Telegram answers this with AUTH_KEY_DUPLICATED, and the key is gone. On sessiond it is never more than one: see
	// protocol_test.go.
	eventually(t, "one key is used once", func() bool { return side.Connections.MostAtOnce() == 2 })
}

func TestWhatIsSentWhileNoProgramRunsArrivesLaterOnlyFromSessiond(t *testing.T) {
	file, daemon := filepath.Join(t.TempDir(), "session.json"), startDaemon(t)
	places := map[string]func(*loopback.Telegram) *program{
		"on its file": func(side *loopback.Telegram) *program { return startOnFile(t, file, side) },
		"on sessiond": func(side *loopback.Telegram) *program { return startProgram(t, daemon, side, loopback.HomeDC) },
	}
	for place, start := range places {
		side, stop := startTelegram(t)
		first := start(side)
		isBusy(t, first, 3)
		first.end(syscall.SIGKILL)
		stop()
		missed := side.Sent() + 1
		side.Send(t.Context())
		second := start(side)
		eventually(t, "the second receives nothing", func() bool {
			side.Send(t.Context())
			messages, _ := second.received()
			return len(messages) > 0 && messages[len(messages)-1] > missed
		})
		if messages, _ := second.received(); slices.Contains(messages, missed) == (place == "on its file") {
			t.Errorf("%s: message %d was sent while nobody ran, received: %v", place, missed, messages)
		}
	}
}
