package sessiond

import (
	"context"
	"errors"

	"google.golang.org/grpc"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// AdvanceStream is changes of one session that do not wait for each other's answers.
//
// They are applied in order, each as a commit of its own. When the connection breaks, those that were not acknowledged are
// sent again as one change with the same effect, so that no counter is ever seen to go back; where that has more channels
// than a session, as several, each of some channels. The first change that is refused ends the stream: it and those after it
// are not applied, and every method says which it was, by a *ChangeRefusedError. Other ends are a *LostError, ErrFenced where
// the process was given the token, and an *UnavailableError when no daemon answered for as long as the client's deadline.
//
// Finish is its good end. Close ends it at once; whoever opens a stream calls one of them. It may be used by many goroutines
// at once.
type AdvanceStream struct {
	held  *Held
	queue changeQueue
	ctx   context.Context
	end   context.CancelCauseFunc
	// gone is closed when nothing is sent any more.
	gone chan struct{}
}

// Acknowledged is how far a stream's changes are durable.
type Acknowledged struct {
	// Sequence is the last one that is, with every one before it. 0: none yet.
	Sequence int64
	// Revision is the session's after it. 0 with sequence 0.
	Revision int64
}

var errStreamClosed = errors.New("the stream of changes is closed")

type changeStream = grpc.BidiStreamingClient[pb.AdvanceStreamRequest, pb.AdvanceStreamResponse]

// AdvanceStream opens a stream of changes. It ends with the hold, if not before.
func (h *Held) AdvanceStream() *AdvanceStream {
	s := &AdvanceStream{held: h, gone: make(chan struct{})}
	s.ctx, s.end = context.WithCancelCause(h.ctx)
	if err := h.client.start(s.send); err != nil {
		s.queue.finish(err)
		close(s.gone)
	}
	return s
}

// Push adds a change, and gives its sequence: 1, 2, 3... It waits while too many are unacknowledged. With an error the change
// was not added.
func (s *AdvanceStream) Push(ctx context.Context, change StateChange) (int64, error) {
	if err := s.held.check(); err != nil {
		return 0, err
	}
	sequence, err := s.queue.push(ctx, change.toWire())
	return sequence, s.held.lostBy(ctx, err)
}

// Acknowledged is how far the changes are durable, as far as is known now.
func (s *AdvanceStream) Acknowledged() Acknowledged {
	acknowledged, _ := s.queue.reached(s.ctx, 0)
	return acknowledged
}

// Durable waits until every change up to this sequence is durable.
func (s *AdvanceStream) Durable(ctx context.Context, sequence int64) (Acknowledged, error) {
	if err := s.held.check(); err != nil {
		return s.Acknowledged(), err
	}
	acknowledged, err := s.queue.reached(ctx, sequence)
	return acknowledged, s.held.lostBy(ctx, err)
}

// Finish waits until every change is durable, gives the session's revision after the last, and closes the stream. 0: there
// was no change.
func (s *AdvanceStream) Finish(ctx context.Context) (int64, error) {
	defer s.Close()
	last, err := s.Durable(ctx, s.queue.last())
	return last.Revision, err
}

// Close ends the stream. What was not acknowledged may or may not be applied.
func (s *AdvanceStream) Close() {
	s.end(errStreamClosed)
	<-s.gone
}

// send sends what is pushed, over as many connections as it takes.
func (s *AdvanceStream) send() {
	defer close(s.gone)
	defer context.AfterFunc(s.held.client.closed, func() { s.end(ErrClosed) })()
	retry := s.held.client.retry(s.ctx)
	var err error
	for err == nil {
		err = s.connection(retry)
	}
	if s.ctx.Err() != nil {
		err = context.Cause(s.ctx)
	}
	if err = s.held.lostBy(s.ctx, err); errors.Is(err, context.Canceled) {
		err = errStreamClosed // by the release of the hold
	}
	s.queue.finish(err)
	s.end(err)
}

// connection sends over one connection until it breaks. It is an error that there is to be no other.
func (s *AdvanceStream) connection(retry *retry) error {
	s.queue.begin()
	waited, err := s.queue.filled(s.ctx)
	if err != nil {
		return err
	}
	if waited {
		retry.restart()
	}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	callOff := retry.guard(cancel)
	defer callOff()
	stream, err := s.held.client.sessions.AdvanceStream(ctx)
	if err == nil {
		fed := make(chan struct{})
		go func() {
			defer close(fed)
			s.feed(ctx, stream)
		}()
		err = s.acknowledgements(stream, retry, callOff)
		cancel()
		<-fed
	}
	if sequence, ok := refusedSequence(err); ok && !isFenced(err) {
		return &ChangeRefusedError{Sequence: s.queue.firstOf(sequence), Refusal: refusal(err)}
	}
	return retry.pause(s.ctx, err)
}

// feed sends changes until the connection breaks. What broke it is for the reader to see.
func (s *AdvanceStream) feed(ctx context.Context, stream changeStream) {
	name, token := s.held.name, s.held.token.Expose()
	for {
		sequence, change, err := s.queue.next(ctx)
		if err != nil {
			return
		}
		request := &pb.AdvanceStreamRequest{Name: name, Token: token, Change: change, Sequence: sequence}
		if err := stream.Send(request); err != nil {
			return
		}
		name, token = "", nil
	}
}

// acknowledgements takes them until the connection breaks, and says by what.
func (s *AdvanceStream) acknowledgements(stream changeStream, retry *retry, callOff func()) error {
	for {
		response, err := receive(stream)
		if err != nil {
			return err
		}
		callOff()
		retry.hear()
		s.queue.acknowledge(response.Sequence, response.Revision)
	}
}
