package sessiond

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "sessiond.invalid/client/go/sessiondpb"
)

const (
	firstDelay = 20 * time.Millisecond
	// longestDelay is the most that attempts are apart, so that a daemon that is back is noticed at once.
	longestDelay = time.Second
)

// retry is one call over all its attempts: while no daemon answers it is tried again, at most a second apart.
//
// It gives up when the context does. That a connection is there is not its business: gRPC waits for one.
type retry struct {
	client *Client
	// patience is how long a daemon may be silent, where the context does not say it. 0: for ever.
	patience time.Duration
	deadline time.Time
	delay    time.Duration
	heard    bool
	last     error
}

// call makes a call that has one answer, and again while no daemon answers: until the context's deadline, else the client's.
func call[T any](ctx context.Context, c *Client, attempt func(context.Context) (T, error)) (T, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.deadline)
		defer cancel()
	}
	retry := c.retryForever()
	for {
		answer, err := attempt(ctx)
		if err == nil {
			return answer, nil
		}
		if err := retry.pause(ctx, err); err != nil {
			return *new(T), err
		}
	}
}

// retry is for streams, which may be silent for as long as the client's deadline where the context has none.
func (c *Client) retry(ctx context.Context) *retry {
	r := &retry{client: c}
	if _, bounded := ctx.Deadline(); !bounded {
		r.patience = c.deadline
	}
	r.restart()
	return r
}

// retryForever gives up with the context alone.
func (c *Client) retryForever() *retry {
	r := &retry{client: c}
	r.restart()
	return r
}

// pause waits before the next attempt. It returns an error if there is none: the daemon refused, the deadline has passed, the
// context has ended, or the client was closed.
func (r *retry) pause(ctx context.Context, err error) error {
	if !isPassing(err) {
		return refusal(err)
	}
	if ctx.Err() != nil {
		return r.ended(ctx)
	}
	heard := r.heard
	if heard {
		r.restart()
	}
	r.last = err
	delay := withJitter(r.delay)
	r.delay = min(2*r.delay, longestDelay)
	if !r.deadline.IsZero() && !time.Now().Add(delay).Before(r.deadline) {
		return r.givenUp()
	}
	select {
	case <-time.After(delay):
		return nil
	case <-r.client.closed.Done():
		return ErrClosed
	case <-ctx.Done():
		r.heard = heard // the daemon ends a call at the deadline too, and may be the first to do so
		return r.ended(ctx)
	}
}

// guard calls cancel when patience is over. What it returns calls that off.
func (r *retry) guard(cancel func()) (callOff func()) {
	if r.deadline.IsZero() {
		return func() {}
	}
	timer := time.AfterFunc(time.Until(r.deadline), cancel)
	return func() { timer.Stop() }
}

// hear notes that a daemon was heard on a stream: when that breaks, it is the beginning of another outage.
func (r *retry) hear() { r.heard = true }

// restart begins a new outage, with all of its patience.
func (r *retry) restart() {
	r.heard, r.delay = false, firstDelay
	if r.patience != 0 {
		r.deadline = time.Now().Add(r.patience)
	}
}

// ended is the error of a context that has ended.
func (r *retry) ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && !r.heard {
		return r.givenUp()
	}
	return ctx.Err()
}

func (r *retry) givenUp() error {
	if reasonOf(infoOf(r.last)) == pb.Reason_REASON_STORAGE_FAILED {
		return refusal(r.last)
	}
	return r.client.unavailable(r.last)
}

// unavailable is the error of a daemon that does not answer, of which last was heard err.
func (c *Client) unavailable(err error) error {
	detail := "no answer in time"
	if dialled := c.dialled.Load(); dialled != nil {
		detail = (*dialled).Error()
	} else if err != nil {
		detail = status.Convert(err).Message()
	}
	return &UnavailableError{Socket: c.socket, Detail: detail}
}

// receive reads a stream. Its end is an error too: no stream of the daemon's ends well.
func receive[M any](stream interface{ Recv() (*M, error) }) (*M, error) {
	message, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil, status.Error(codes.Unavailable, "the daemon closed the stream")
	}
	return message, err
}

// withJitter is half of the delay to all of it, so that the clients of a daemon do not come back all at once.
func withJitter(delay time.Duration) time.Duration { return delay/2 + rand.N(delay/2) }
