package sessiond

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// Errors without fields. What a call returns wraps them, with the daemon's words of what to do: ask with errors.Is.
var (
	// ErrFenced: the token that this process was given is not that of the current hold. Stop using the keys. With a hold of its
	// own a process gets a *LostError instead.
	ErrFenced = errors.New("the token is not that of the session's current hold")
	// ErrForeignFile: the session's file is not as the daemon left it. `sessiond import --force` takes what is in it,
	// `sessiond mirror --force` writes over it.
	ErrForeignFile = errors.New("the session's file is not as the daemon left it")
	// ErrNotPermitted: the caller may not do this.
	ErrNotPermitted = errors.New("not permitted")
	// ErrDamaged: the session's data cannot be read.
	ErrDamaged = errors.New("the session is damaged")
	// ErrLimitExceeded: a limit of the daemon is reached.
	ErrLimitExceeded = errors.New("a limit of the daemon is reached")
	// ErrStorageFull: the daemon's disk is full. Nothing was changed.
	ErrStorageFull = errors.New("the daemon's disk is full")
	// ErrStorageFailed: the daemon's disk failed until the deadline, and it is not known whether a write went through.
	ErrStorageFailed = errors.New("the daemon's disk failed")
	// ErrClosed: the client was closed. A hold of it is not kept any more, though it was not lost.
	ErrClosed = errors.New("the client is closed")
)

// InvalidNameError says that a text is not a session's name. Nothing was sent.
type InvalidNameError struct {
	// Message says what is wrong with it.
	Message string
}

// InvalidArgumentError says that the daemon refused an argument.
type InvalidArgumentError struct {
	// Reason is the rule that it broke.
	Reason Reason
	// Message is what is wrong, in the daemon's words.
	Message string
}

// Reason is which rule an argument broke, as the schema names it.
type Reason string

// The reasons of an InvalidArgumentError.
const (
	// InvalidSession: a field has a value that it must not have; the message names it.
	InvalidSession Reason = "INVALID_SESSION"
	// InvalidPageToken: a listing was gone on with that this daemon did not begin.
	InvalidPageToken Reason = "INVALID_PAGE_TOKEN"
	// TokenRequired: the call needs the token of a hold.
	TokenRequired Reason = "TOKEN_REQUIRED"
	// RequestIDReused: the request id was used for a request of another content.
	RequestIDReused Reason = "REQUEST_ID_REUSED"
)

// HeldByAnotherError says that another client holds the session: wait for it (Wait), or end that client.
type HeldByAnotherError struct {
	// Label is what the holder calls itself. May be empty.
	Label string
	// PID is its process id. 0: not known.
	PID int32
	// Since is since when it holds the session. Zero: not known.
	Since time.Time
}

// LostError says that the hold was lost. Stop using the keys; every later call with this hold fails so.
type LostError struct {
	Reason LostReason
}

// LostReason is why a hold ended without a release.
type LostReason string

// The reasons of a LostError.
const (
	// Fenced: the daemon does not know the token any more. The hold was ended, or its time to come back was over, while this
	// client was away.
	Fenced LostReason = "FENCED"
	// EndedByAdmin: an operator ended it.
	EndedByAdmin LostReason = "ENDED_BY_ADMIN"
	// ResumedElsewhere: another process goes on with the hold, by its token.
	ResumedElsewhere LostReason = "RESUMED_ELSEWHERE"
)

// RevisionMismatchError says that the session is not at the expected revision. Nothing was changed.
type RevisionMismatchError struct {
	// Current is the revision at which it is.
	Current int64
}

// FileInUseError says that another program has the session's file open.
type FileInUseError struct {
	// PIDs are the process ids of that program, where they are known.
	PIDs []int32
	// Message is what to do, in the daemon's words.
	Message string
}

// UnavailableError says that no daemon answered until the deadline. Whether a write went through is not known. It is
// context.DeadlineExceeded too, for errors.Is.
type UnavailableError struct {
	// Socket is where the daemon was looked for.
	Socket string
	// Detail is what came instead of an answer.
	Detail string
}

// ChangeRefusedError says that a change of an advance stream was refused; it and those after it were not applied.
type ChangeRefusedError struct {
	// Sequence is the change's, as Push told it.
	Sequence int64
	// Refusal is why. It is unwrapped too.
	Refusal error
}

func (e *InvalidNameError) Error() string { return e.Message }

func (e *InvalidArgumentError) Error() string { return e.Message }

func (e *HeldByAnotherError) Error() string {
	switch {
	case e.Label == "" && e.PID == 0:
		return "another client holds the session"
	case e.Label == "":
		return fmt.Sprintf("process %d holds the session", e.PID)
	case e.PID == 0:
		return e.Label + " holds the session"
	default:
		return fmt.Sprintf("%s (process %d) holds the session", e.Label, e.PID)
	}
}

func (e *LostError) Error() string {
	switch e.Reason {
	case EndedByAdmin:
		return "the hold was lost: an operator ended it"
	case ResumedElsewhere:
		return "the hold was lost: another process goes on with it"
	default:
		return "the hold was lost: its token is not the current one any more"
	}
}

func (e *RevisionMismatchError) Error() string {
	return fmt.Sprintf("the session is at revision %d, not at the expected one", e.Current)
}

func (e *FileInUseError) Error() string { return e.Message }

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("no daemon answers at %s (%s); start one with `sessiond serve`, "+
		"or for a command alone with `sessiond run -- COMMAND`, or name its socket in %s",
		e.Socket, e.Detail, SocketVariable)
}

func (e *UnavailableError) Unwrap() error { return context.DeadlineExceeded }

func (e *ChangeRefusedError) Error() string {
	return fmt.Sprintf("change %d of the stream was refused: %v", e.Sequence, e.Refusal)
}

func (e *ChangeRefusedError) Unwrap() error { return e.Refusal }

// lostReasonOf is the reason in a message; unspecified there is a hold that ran out.
func lostReasonOf(reason pb.LostReason) LostReason {
	switch reason {
	case pb.LostReason_LOST_REASON_ENDED_BY_ADMIN:
		return EndedByAdmin
	case pb.LostReason_LOST_REASON_RESUMED_ELSEWHERE:
		return ResumedElsewhere
	default:
		return Fenced
	}
}
