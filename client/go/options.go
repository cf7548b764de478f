package sessiond

import "time"

// Option is a setting of Connect: Socket, Deadline or Label.
type Option interface {
	applyToClient(settings *clientSettings)
}

// HoldOption is a setting of Hold: Wait, OnWaiting or Label.
type HoldOption interface {
	applyToHold(settings *holdSettings)
}

// WriteOption is a setting of a write: IfRevision or RequestID.
type WriteOption func(settings *writeSettings)

// LabelOption is what Label gives.
type LabelOption string

type clientSettings struct {
	socket   string
	deadline time.Duration
	label    string
}

type holdSettings struct {
	label     string
	wait      bool
	onWaiting func(Waiting)
}

type writeSettings struct {
	expectedRevision *int64
	requestID        string
}

type (
	clientOption func(*clientSettings)
	holdOption   func(*holdSettings)
)

func (o clientOption) applyToClient(settings *clientSettings) { o(settings) }
func (o holdOption) applyToHold(settings *holdSettings)       { o(settings) }
func (l LabelOption) applyToClient(settings *clientSettings)  { settings.label = string(l) }
func (l LabelOption) applyToHold(settings *holdSettings)      { settings.label = string(l) }

// Socket says where the daemon serves: a path, unix:PATH, or unix-abstract:NAME.
func Socket(socket string) Option {
	return clientOption(func(settings *clientSettings) { settings.socket = normalSocket(socket) })
}

// Deadline is how long a call waits for a daemon where its context has no deadline. Unless it is set, 30 seconds.
func Deadline(deadline time.Duration) Option {
	return clientOption(func(settings *clientSettings) { settings.deadline = deadline })
}

// Label is what the program calls itself where it holds, at most 128 characters without control characters: with every hold
// of a client, or with one.
func Label(label string) LabelOption { return LabelOption(label) }

// Wait waits in line while another client holds the session, for as long as the context lets it.
func Wait() HoldOption {
	return holdOption(func(settings *holdSettings) { settings.wait = true })
}

// OnWaiting is told who is in the way: at once, and whenever that or the place in the line changes. Hold calls it, and goes
// on when it returns.
func OnWaiting(told func(Waiting)) HoldOption {
	return holdOption(func(settings *holdSettings) { settings.onWaiting = told })
}

// IfRevision refuses a write with a *RevisionMismatchError unless the session is at this revision. 0: there must be none yet.
func IfRevision(revision int64) WriteOption {
	return func(settings *writeSettings) { settings.expectedRevision = &revision }
}

// RequestID sends this id, 1 to 128 bytes, in place of a new one: for a program that repeats its writes after its own
// restart.
func RequestID(id string) WriteOption {
	return func(settings *writeSettings) { settings.requestID = id }
}
