package sessiond

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SocketVariable is the environment variable that says where the daemon serves.
const SocketVariable = "SESSIOND_SOCKET"

// abstractPrefix is what the text of a socket in the abstract namespace begins with.
const abstractPrefix = "unix-abstract:"

// DefaultSocket is where a daemon serves unless it is told otherwise: as root /run/sessiond/sessiond.sock, else
// $XDG_RUNTIME_DIR/sessiond/sessiond.sock, and without that variable /tmp/sessiond-UID/sessiond.sock.
func DefaultSocket() string { return socketOf(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR")) }

func socketOf(user int, runtimeDir string) string {
	folder := "/tmp/sessiond-" + strconv.Itoa(user)
	switch {
	case user == 0:
		folder = "/run/sessiond"
	case runtimeDir != "":
		folder = filepath.Join(runtimeDir, "sessiond")
	}
	return filepath.Join(folder, "sessiond.sock")
}

// socketFromEnvironment is what SESSIOND_SOCKET names, else DefaultSocket.
func socketFromEnvironment() string {
	if socket := os.Getenv(SocketVariable); socket != "" {
		return normalSocket(socket)
	}
	return DefaultSocket()
}

// normalSocket is a socket as it is shown: a path, or unix-abstract:NAME.
func normalSocket(socket string) string {
	if strings.HasPrefix(socket, abstractPrefix) {
		return socket
	}
	path := strings.TrimPrefix(socket, "unix:")
	if strings.HasPrefix(path, "///") { // gRPC writes an absolute path so too
		path = path[2:]
	}
	return path
}

// address is a socket as package net names it, for which "@" begins an abstract name.
func address(socket string) string {
	if name, ok := strings.CutPrefix(socket, abstractPrefix); ok {
		return "@" + name
	}
	if strings.HasPrefix(socket, "@") {
		return "./" + socket
	}
	return socket
}
