package sessiond

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// WatchOptions say what to follow, and from where. With neither Names nor NamePrefix: every session that the caller may see.
type WatchOptions struct {
	// Names are sessions to follow, at most 10,000. They need not exist yet.
	Names []string
	// NamePrefix follows every session whose name begins with it, too. Empty: no more than Names.
	NamePrefix string
	// After goes on from here. Nil: starts with a snapshot of every session.
	After *Position
	// Mode is which commits to be told.
	Mode WatchMode
	// BookmarkInterval is how long the daemon may be silent when nothing happens: 0.1 s to 1 h. 0: 5 s.
	BookmarkInterval time.Duration
}

// WatchMode is which commits a watch is told.
type WatchMode int

const (
	// EveryChange tells every commit.
	EveryChange WatchMode = iota
	// Latest leaves out, when the watch is behind, what later commits superseded: several of a session may come as one.
	//
	// One that took in an earlier one may come after another session's, so that no commit says how far the watch has come; only
	// Synced and Bookmark do. After a broken connection, or from a Position, it goes on from the last of those, and commits
	// that were told since may come again, also as part of one that took them in.
	Latest
)

// Position is how far a watch has come: what to go on from, also in another process or after a restart.
type Position struct {
	// Revision is up to where everything was told.
	Revision int64
	// StoreID is the identity of the store. Empty: whichever the daemon has.
	StoreID string
}

// Watch follows sessions. Client.Watch makes one, and Events reads it.
type Watch struct {
	client   *Client
	options  WatchOptions
	position atomic.Pointer[Position]
	// begun is whether there was an event: before, the client's deadline holds.
	begun bool
}

// follower is a loop over a watch: the connection, and what to ask for when it breaks.
type follower struct {
	*Watch
	retry  *retry
	stream grpc.ServerStreamingClient[pb.WatchResponse]
	cancel context.CancelFunc
	// known is set while a connection goes on from a position that the reader has reached: what it knows is not told again.
	known *Position
}

// Watch follows sessions: see Watch.Events, before which it asks for nothing. Error: *InvalidNameError.
func (c *Client) Watch(options WatchOptions) (*Watch, error) {
	for _, name := range options.Names {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	watch := &Watch{client: c, options: options}
	if options.After != nil {
		watch.position.Store(new(*options.After))
	}
	return watch, nil
}

// Position is how far the watch has come, as far as its events were read: what another watch may go on from, as
// WatchOptions.After. Nil until Synced. It may be called while Events is read.
func (w *Watch) Position() *Position { return w.position.Load() }

// Events gives what happens, one event after the other: Restarted, a Snapshot of each session, and Synced; then every commit,
// in order, once, with none left out. When the connection breaks or the daemon restarts it goes on where it was, for as long
// as it takes; where that is not possible it says so by another Restarted. With Latest, commits may be left out and come
// again.
//
// An error is the last thing that it gives: the context's, ErrNotPermitted, and, before the first event only,
// *UnavailableError. A loop that is left ends the connection; another loop over the same watch goes on where that one was.
// One at a time.
//
// A loop that does not go on holds nothing else up, and the daemon remembers for it within limits.
func (w *Watch) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := w.follower(ctx)
		defer f.disconnect()
		for {
			event, err := f.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(event, nil) {
				return
			}
		}
	}
}

func (w *Watch) follower(ctx context.Context) *follower {
	if w.begun {
		return &follower{Watch: w, retry: w.client.retryForever()}
	}
	return &follower{Watch: w, retry: w.client.retry(ctx)}
}

// next is the next event that the reader does not know.
func (f *follower) next(ctx context.Context) (Event, error) {
	for {
		response, err := f.receive(ctx)
		if err != nil {
			f.disconnect()
			if err := f.retry.pause(ctx, err); err != nil {
				return nil, err
			}
			continue
		}
		event, err := eventOf(response)
		if err != nil {
			return nil, err
		}
		if f.isFresh(event) {
			return event, nil
		}
	}
}

// receive reads the connection, which it makes if there is none.
func (f *follower) receive(ctx context.Context) (*pb.WatchResponse, error) {
	if f.stream != nil {
		return receive(f.stream)
	}
	if f.begun {
		f.known = f.Position()
	}
	ctx, f.cancel = context.WithCancel(ctx)
	defer f.retry.guard(f.cancel)()
	stream, err := f.client.watches.Watch(ctx, f.request())
	if err != nil {
		return nil, err
	}
	f.stream = stream
	return receive(stream)
}

func (f *follower) disconnect() {
	if f.cancel != nil {
		f.cancel()
	}
	f.stream, f.cancel = nil, nil
}

func (f *follower) request() *pb.WatchRequest {
	request := &pb.WatchRequest{Names: f.options.Names, NamePrefix: f.options.NamePrefix}
	if f.options.Mode == Latest {
		request.Mode = pb.WatchMode_WATCH_MODE_LATEST
	}
	if position := f.Position(); position != nil {
		request.AfterRevision, request.StoreId = &position.Revision, position.StoreID
	}
	if interval := f.options.BookmarkInterval; interval != 0 {
		request.BookmarkInterval = durationpb.New(interval)
	}
	return request
}

// isFresh tells whether the reader does not know the event, and moves the watch past it.
func (f *follower) isFresh(event Event) bool {
	if !f.begun {
		f.begun = true
		f.retry = f.client.retryForever()
	}
	f.retry.hear()
	fresh := true
	switch event := event.(type) {
	case Restarted:
		f.known = nil
	case Synced:
		fresh = f.known == nil // the reader was told that it is in step, and never that it is not
	case interface{ commit() Commit }:
		fresh = f.known == nil || event.commit().Revision > f.known.Revision
	}
	f.moveTo(event)
	return fresh
}

// moveTo moves the position past an event, if everything up to it has been told.
func (w *Watch) moveTo(event Event) {
	position := w.Position()
	var reached int64
	switch event := event.(type) {
	case Restarted:
		w.position.Store(nil) // half of the snapshots are worth nothing
		return
	case Synced:
		moved := Position(event)
		if position != nil {
			moved.Revision = max(moved.Revision, position.Revision)
		}
		w.position.Store(&moved)
		return
	case Bookmark:
		reached = event.Revision
	case interface{ commit() Commit }:
		if w.options.Mode == Latest {
			return // an earlier one of another session may be part of one that is still to come
		}
		reached = event.commit().Revision
	}
	if position != nil && reached > position.Revision {
		w.position.Store(&Position{Revision: reached, StoreID: position.StoreID})
	}
}
