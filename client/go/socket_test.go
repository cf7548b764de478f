package sessiond

import "testing"

func TestASocketIsAPathOrAnAbstractName(t *testing.T) {
	for text, expected := range map[string]struct{ shown, address string }{
		"/run/x.sock":            {"/run/x.sock", "/run/x.sock"},
		"unix:/run/x.sock":       {"/run/x.sock", "/run/x.sock"},
		"unix:///run/x.sock":     {"/run/x.sock", "/run/x.sock"},
		"unix:x.sock":            {"x.sock", "x.sock"},
		"@x":                     {"@x", "./@x"},
		"unix-abstract:sessiond": {"unix-abstract:sessiond", "@sessiond"},
	} {
		if shown := normalSocket(text); shown != expected.shown || address(shown) != expected.address {
			t.Errorf("%s: %s, %s", text, shown, address(shown))
		}
	}
}

func TestTheDefaultSocketIsTheUsersOwn(t *testing.T) {
	for _, c := range []struct {
		user                 int
		runtimeDir, expected string
	}{
		{1000, "/run/user/1000", "/run/user/1000/sessiond/sessiond.sock"},
		{1000, "", "/tmp/sessiond-1000/sessiond.sock"},
		{0, "/run/user/0", "/run/sessiond/sessiond.sock"},
	} {
		if socket := socketOf(c.user, c.runtimeDir); socket != c.expected {
			t.Errorf("%d, %q: %s", c.user, c.runtimeDir, socket)
		}
	}
}

func TestTheEnvironmentNamesTheSocket(t *testing.T) {
	t.Setenv(SocketVariable, "unix:/x/y")
	if socket := socketFromEnvironment(); socket != "/x/y" {
		t.Errorf("socket: %s", socket)
	}
	t.Setenv(SocketVariable, "")
	if socket := socketFromEnvironment(); socket != DefaultSocket() {
		t.Errorf("socket: %s", socket)
	}
}
