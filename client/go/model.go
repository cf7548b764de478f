package sessiond

import "time"

// Holder is who holds a session: what the kernel said of the process that connected, and what that process says of itself.
type Holder struct {
	// Label is what it calls itself. May be empty.
	Label string
	// PID is its process id. 0: not known, as with a process on another host.
	PID int32
	// UID is its user id.
	UID int32
	// Executable is the path of the program that it runs. Empty: not known.
	Executable string
	// Since is when the hold was granted.
	Since time.Time
	// Host is its host. Empty: the daemon's own.
	Host string
}

// Waiting is a place in the line for a session.
type Waiting struct {
	// Holder is who holds the session. Nil: nobody any more, and the daemon's hand-over delay runs.
	Holder *Holder
	// Position is 1 for the next to be granted.
	Position int32
}

// Loaded is a session as it was read.
type Loaded struct {
	// Session is nil where there is none.
	Session *Session
	// Revision is the session's. 0: there is no session.
	Revision int64
	// Holder is who holds it. Nil: nobody.
	Holder *Holder
}

// SessionSummary is a session in short.
type SessionSummary struct {
	Name string
	// Revision is 0 where the session is held and has no data.
	Revision int64
	// User is who is logged in. Nil: nobody, or not known.
	User *User
	// Changed is the time of its last change. Zero: there was none.
	Changed time.Time
	// Holder is who holds it. Nil: nobody.
	Holder *Holder
	// Pts is nil where it has no update state.
	Pts *int32
	// ChannelCount is how many channels have a state of their own.
	ChannelCount int32
	// DCsWithAuth are the ids of the data centers that it has keys of, ascending.
	DCsWithAuth []int32
	// Waiting is how many clients wait for it.
	Waiting int32
	// Watchers is how many watches selected it.
	Watchers int32
	// Damaged is whether its data or its file was found damaged, or its file changed by another program.
	Damaged bool
	// TestMode is Session.TestMode.
	TestMode *bool
}

// ServerInfo is what daemon it is, and how it fares.
type ServerInfo struct {
	// Version is for people: programs look at Features.
	Version string
	// Engine is where sessions live: "sqlite" or "memory".
	Engine string
	// StoreID is the identity of the store. Revisions of different stores have nothing to do with each other.
	StoreID string
	// Features are what the daemon can do beyond the first version of the schema: "peers", "attributes".
	Features []string
	Figures  Figures
}

// Figures are how a daemon fares. Counts are since its start unless said otherwise.
type Figures struct {
	// Started is when it started.
	Started time.Time
	// Revision is the newest of the store.
	Revision int64
	// LogAfter is the oldest revision after which the log is whole.
	LogAfter int64
	// LogBytes is the size of the change log now.
	LogBytes int64
	// Sessions are those known now, Held those held, Waiting the clients that wait for a hold, Watchers the watches open.
	Sessions int64
	Held     int64
	Waiting  int64
	Watchers int64
	// Commits are the changes committed, Batches what they were committed in, each with one sync of the disk.
	Commits int64
	Batches int64
	// CommitP50 and CommitP99 are the median and the 99th percentile of the time of a recent batch, from the first change
	// taken to durable. 0: none yet.
	CommitP50 time.Duration
	CommitP99 time.Duration
}

// Kept is what writing peers or attributes came to.
type Kept struct {
	// Revision is the store's after it. No session's revision moves. 0: there was nothing to send.
	Revision int64
	// Changed is how many of them changed.
	Changed int
}
