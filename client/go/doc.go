// Package sessiond is the Go client of sessiond, the daemon that owns the Telegram sessions of a host: whoever holds a session
// gets its keys and may write it, everyone else may watch it.
//
// Connect makes a Client. Client.Hold takes a session, and the Hold reads and writes it; Client.Watch follows sessions.
// Calls take a context: its deadline is how long they wait for a daemon, or 30 seconds where it has none. A daemon that is
// away or restarts is no error before that.
//
// A Hold that is lost ends its Context, with a *LostError as its cause: give that context to whatever uses the keys.
//
// Errors are types and values, for errors.As and errors.Is; their texts are for people. Keys, tokens, access hashes, phone
// numbers and names of peers are in no error, and not in what package fmt, package log/slog and JSON make of the types here.
//
// The messages of the schema are in the package sessiondpb beside this one, for programs that speak gRPC themselves. Those
// hide nothing.
package sessiond
