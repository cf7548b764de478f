package sessiond

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// Hold is a session, held for this process alone. Reading and writing it are the methods of Held.
//
// A daemon that is down or restarts does not end a hold: it is taken up again by its token, for as long as it takes. Context
// ends when the hold is lost, and only then or by the program itself.
//
// Release is the clean end, also of a hold that was lost: the daemon waits for it before it grants the session to the next,
// though not longer than ResumeWithin.
type Hold struct {
	*Held
	fence        int64
	revision     int64
	session      *Session
	resumeWithin time.Duration
	line         *lifeLine
	released     atomic.Bool
}

// lifeLine is the stream that is open for as long as the session is held.
type lifeLine struct {
	request *pb.HoldRequest
	stream  grpc.ServerStreamingClient[pb.HoldResponse]
	ctx     context.Context
	cut     context.CancelFunc
	// gone is closed when nobody keeps it any more.
	gone chan struct{}
}

// Hold takes a session for this process alone: at once, or with Wait once it is this client's turn. The context is for the
// taking alone; what the hold lasts is told by its Context.
//
// Errors: *InvalidNameError, *HeldByAnotherError unless it waits, *FileInUseError, ErrForeignFile, ErrDamaged,
// *UnavailableError when no daemon answers until the context's deadline, or without one for as long as the client's; the
// context's own while it waits in line.
func (c *Client) Hold(ctx context.Context, name string, options ...HoldOption) (*Hold, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	settings := holdSettings{label: c.label, onWaiting: func(Waiting) {}}
	for _, option := range options {
		option.applyToHold(&settings)
	}
	request := &pb.HoldRequest{Name: name, Label: settings.label, Wait: settings.wait}
	retry := c.retry(ctx)
	for {
		line := newLifeLine(ctx, request)
		granted, err := c.stand(ctx, line, retry, settings.onWaiting)
		if err == nil {
			return newHold(c, line, granted)
		}
		line.cut()
		if err := retry.pause(ctx, err); err != nil {
			return nil, err
		}
	}
}

// Fence is the revision at which the hold was granted. A later hold of the session has a higher one.
func (h *Hold) Fence() int64 { return h.fence }

// Revision is the session's when the hold was granted. 0: there was no session.
func (h *Hold) Revision() int64 { return h.revision }

// Session is as it was when the hold was granted, with its keys. Nil: there was none.
func (h *Hold) Session() *Session { return h.session }

// ResumeWithin is how long this process may be out of touch with a running daemon before the hold is lost.
func (h *Hold) ResumeWithin() time.Duration { return h.resumeWithin }

// Release lets the session go, at once and for good. Close the connection to Telegram first. Once it has succeeded, it does
// nothing more.
//
// Errors: *LostError if the hold had ended before; *UnavailableError, when the daemon was not told, and passes the session on
// by its own rules. Either way this process does not hold it any more.
func (h *Hold) Release(ctx context.Context) error {
	defer h.Drop()
	if err := h.check(); err != nil || h.released.Load() {
		return err
	}
	h.end(nil)
	attempts := 0
	_, err := call(ctx, h.client, func(ctx context.Context) (*pb.ReleaseResponse, error) {
		attempts++
		return h.client.sessions.Release(ctx, &pb.ReleaseRequest{Name: h.name, Token: h.token.Expose()})
	})
	switch {
	case !errors.Is(err, ErrFenced):
	case attempts > 1:
		err = nil // an attempt that was not answered has gone through
	default:
		err = &LostError{Fenced}
	}
	h.released.Store(err == nil)
	return err
}

// Drop lets go of the hold without a word to the daemon, as a program that ends does. The session stays this process's until
// the daemon's resume window is over, because a connection to Telegram may live on; if the process ends, until the hand-over
// delay is. Of a hold that was lost, it says that the keys are out of use.
func (h *Hold) Drop() {
	h.end(nil)
	h.line.cut()
	<-h.line.gone
}

func newHold(c *Client, line *lifeLine, granted *pb.Granted) (*Hold, error) {
	session, err := sessionOf(granted.Session)
	token, noToken := NewToken(granted.Token)
	if noToken != nil {
		err = unexpected(noToken)
	}
	if err != nil {
		line.cut()
		return nil, err
	}
	line.request.Token = granted.Token
	hold := &Hold{
		Held:  newHeld(line.ctx, c, line.request.Name, token, &LostError{Fenced}),
		fence: granted.Fence, revision: granted.Revision, session: session,
		resumeWithin: durationOf(granted.ResumeWithin), line: line,
	}
	if err := c.start(hold.keep); err != nil {
		line.cut()
		return nil, err
	}
	return hold, nil
}

func newLifeLine(ctx context.Context, request *pb.HoldRequest) *lifeLine {
	line := &lifeLine{request: request, gone: make(chan struct{})}
	line.ctx, line.cut = context.WithCancel(context.WithoutCancel(ctx))
	return line
}

// stand asks for the session and stands in line until it is granted. The line is cut when the context ends before.
func (c *Client) stand(
	ctx context.Context, line *lifeLine, retry *retry, onWaiting func(Waiting),
) (*pb.Granted, error) {
	callOff := retry.guard(line.cut)
	defer callOff()
	atEnd := context.AfterFunc(ctx, line.cut)
	defer atEnd()
	if err := c.open(line); err != nil {
		return nil, err
	}
	for {
		response, err := receive(line.stream)
		if err != nil {
			return nil, err
		}
		callOff()
		retry.hear()
		switch event := response.Event.(type) {
		case *pb.HoldResponse_Waiting:
			onWaiting(Waiting{Holder: holderOf(event.Waiting.Holder), Position: event.Waiting.Position})
		case *pb.HoldResponse_Granted:
			if !atEnd() {
				return nil, status.FromContextError(ctx.Err()).Err()
			}
			return event.Granted, nil
		case *pb.HoldResponse_Lost:
			return nil, &LostError{lostReasonOf(event.Lost.Reason)}
		}
	}
}

func (c *Client) open(line *lifeLine) (err error) {
	line.stream, err = c.sessions.Hold(line.ctx, line.request)
	return err
}

// keep keeps the life line until the hold ends.
func (h *Hold) keep() {
	defer close(h.line.gone)
	retry := h.client.retryForever()
	var broken error
	for {
		var lost *LostError
		if broken == nil {
			lost, broken = h.listen(retry)
		}
		if lost != nil {
			h.end(lost)
			// The session is granted to the next when this stream is closed: when the program lets go of the hold.
			for broken == nil {
				_, broken = h.line.stream.Recv()
			}
			return
		}
		// Whatever it was, it did not say that the hold has ended, and only that ends it.
		again := status.Error(codes.Unavailable, status.Convert(broken).Message())
		if err := retry.pause(h.line.ctx, again); err != nil {
			h.end(err)
			return
		}
		broken = h.client.open(h.line)
	}
}

// listen reads the life line until the hold is lost, or the stream broken; where a refusal says that it is lost, both.
func (h *Hold) listen(retry *retry) (*LostError, error) {
	for {
		response, err := receive(h.line.stream)
		if err != nil {
			if isFenced(err) {
				return &LostError{Fenced}, err
			}
			return nil, err
		}
		if lost := response.GetLost(); lost != nil {
			return &LostError{lostReasonOf(lost.Reason)}, nil
		}
		retry.hear()
	}
}

// newRequestID is a name that no other write has.
func newRequestID() string { return rand.Text() }
