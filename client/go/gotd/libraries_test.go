package gotd_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd/internal/loopback"
)

// Where the programs on other libraries are, and what they need. Without it no test runs with that library.
const (
	// clientsVariable names the folder of `make clients`.
	clientsVariable = "SESSIOND_TEST_CLIENTS"
	// telethonVariable names the folder of `make venvs`.
	telethonVariable = "SESSIOND_TEST_TELETHON"
	// grammersVariable names the recipe of docs/libraries.md as tests/grammers builds it.
	grammersVariable = "SESSIOND_TEST_GRAMMERS"
)

const telethonVersion = "telethon-1.45.0"

// library is one other than gotd whose programs are started here.
type library struct {
	name string
	// command is how a program is started, given its settings. It skips the test where the library is not installed.
	command func(t *testing.T, settings settings) *exec.Cmd
	said    *regexp.Regexp
	// ahead is by how many updates the state that it reports may be ahead of those that its program has handled, at most.
	ahead int
}

// libraries report their state themselves: Telethon once a minute and when it disconnects; grammers when its recipe says so,
// after each update, though it tells the state of all that came together with that; mtcute after all that came together.
var libraries = []library{
	{name: "Telethon", command: telethonCommand, said: said},
	{name: "grammers", command: grammersCommand, said: saidOfGrammers, ahead: loopback.DifferenceSize},
	{name: "mtcute", command: mtcuteCommand, said: said},
}

// saidOfGrammers is what the recipe prints of a message, which came in the common box or in a channel's.
var saidOfGrammers = regexp.MustCompile(
	`^NewMessage\(Message \{ msg: Message \{ id: (?P<number>\d+), .* message_box: Some\((?P<kind>Common|Channel) \{`)

// start starts a program that ends with the test.
func (l library) start(t *testing.T, daemon *daemon, side *loopback.Telegram) *program {
	t.Helper()
	command := l.command(t, settingsFor(t, side, 2))
	command.Env = append(command.Environ(), sessiond.SocketVariable+"="+daemon.socket)
	return start(t, command, l.said)
}

func telethonCommand(t *testing.T, _ settings) *exec.Cmd {
	t.Helper()
	python := filepath.Join(folder(t, telethonVariable), telethonVersion, "bin", "python")
	packages, err := filepath.Glob(filepath.Join(folder(t, clientsVariable), "python", "lib", "python3*", "site-packages"))
	if err != nil || len(packages) != 1 {
		missing(t, "the Python client is not installed: run `make clients`")
	}
	command := exec.Command(existing(t, python), existing(t, "../../python/tests/adapters/telethon_program.py"))
	command.Env = append(os.Environ(), "PYTHONPATH="+packages[0])
	return command
}

func grammersCommand(t *testing.T, _ settings) *exec.Cmd {
	t.Helper()
	return exec.Command(existing(t, folder(t, grammersVariable)))
}

func mtcuteCommand(t *testing.T, settings settings) *exec.Cmd {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "there is no node")
	}
	// As `make clients` compiles it.
	program := existing(t, "../../typescript/build/telegram-program.js")
	return exec.Command(node, program, string(ok(json.Marshal(settings))(t)))
}

// folder is what a variable names.
func folder(t *testing.T, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		missing(t, variable+" is not set")
	}
	return path
}

// existing is a path to a file that has to be there.
func existing(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		missing(t, err.Error())
	}
	return path
}

// missing skips the test.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
