package gotd

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/gotd/td/telegram/updates"

	sessiond "sessiond.invalid/client/go"
)

// pause is how long what was refused waits to be tried again. A daemon that is away is waited for by the client already.
const pause = time.Second

// records are a session's update state and access hashes, as gotd has set them. They are read here at once; a task that lasts
// as long as there is something to write has them written, in order, what is set meanwhile as one change.
type records struct {
	hold *sessiond.Hold

	mutex sync.Mutex
	// state are the counters. Nil: gotd has to ask Telegram for them.
	state    *updates.State
	channels map[int64]int32
	// hashes are the access hashes that were set or asked for, by marked id.
	hashes map[int64]int64
	// due is what is not written yet, and not on its way.
	due batch
	// writing is whether the task is there that writes.
	writing bool
	// refusal is why the newest attempt to write did not go through.
	refusal error
	// attempted is closed when the attempt that is under way ends.
	attempted chan struct{}
}

// newRecords begins with what the session had when it was granted.
func newRecords(hold *sessiond.Hold) *records {
	r := &records{hold: hold}
	r.clear()
	session := hold.Session()
	if session == nil || session.State == nil {
		return r
	}
	known := session.State
	if known.Pts != 0 || known.Qts != 0 || known.Date != 0 || known.Seq != 0 {
		r.state = &updates.State{Pts: int(known.Pts), Qts: int(known.Qts), Date: int(known.Date), Seq: int(known.Seq)}
	}
	for _, channel := range known.Channels {
		r.channels[channel.ID] = channel.Pts
	}
	return r
}

func (r *records) counters() (updates.State, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.state == nil {
		return updates.State{}, false
	}
	return *r.state, true
}

func (r *records) channel(id int64) (int, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	pts, found := r.channels[id]
	return int(pts), found
}

func (r *records) allChannels() map[int64]int32 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return maps.Clone(r.channels)
}

// begin sets the counters, whether or not there were any.
func (r *records) begin(change sessiond.StateChange) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.state == nil {
		r.state = new(updates.State)
	}
	return r.set(batchOf(change))
}

// advance sets what a change mentions. There has to be a state.
func (r *records) advance(change sessiond.StateChange) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.state == nil {
		return errNoState
	}
	return r.set(batchOf(change))
}

func (r *records) setHash(id, hash int64) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known, found := r.hashes[id]; found && known == hash {
		return nil
	}
	return r.set(batch{hashes: map[int64]int64{id: hash}})
}

// hash asks the daemon for those that are not known here.
func (r *records) hash(ctx context.Context, id int64) (int64, bool, error) {
	r.mutex.Lock()
	hash, found := r.hashes[id]
	r.mutex.Unlock()
	if found {
		return hash, true, nil
	}
	peers, err := r.hold.Peers(ctx, sessiond.PeerID(id))
	if err != nil || peers[0] == nil || peers[0].AccessHash == nil {
		return 0, false, err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, found := r.hashes[id]; !found { // else it was set meanwhile
		r.hashes[id] = *peers[0].AccessHash
	}
	return r.hashes[id], true, nil
}

// flush waits until everything is written, or cannot be for now.
func (r *records) flush(ctx context.Context) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for r.writing {
		if err := r.attempt(ctx); err != nil {
			return err
		}
		if r.refusal != nil {
			return r.refusal
		}
	}
	return r.refusal
}

// forget forgets everything, and returns when nothing of it is being written any more.
func (r *records) forget(ctx context.Context) error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.clear()
	for r.writing {
		if err := r.attempt(ctx); err != nil {
			return err
		}
		r.clear()
	}
	r.refusal = nil
	return nil
}

func (r *records) clear() {
	r.state, r.channels, r.hashes, r.due = nil, make(map[int64]int32), make(map[int64]int64), batch{}
}

// attempt waits, without the mutex, until the attempt to write that is under way has ended.
func (r *records) attempt(ctx context.Context) error {
	attempted := r.attempted
	r.mutex.Unlock()
	defer r.mutex.Lock()
	select {
	case <-attempted:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// set makes something known here and has it written. The error is that of a hold that is over, or of the newest attempt to
// write: what is set is kept, and tried again, then.
func (r *records) set(news batch) error {
	if err := context.Cause(r.hold.Context()); err != nil {
		return err
	}
	if r.state != nil {
		r.state.Pts = latest(r.state.Pts, news.counters.Pts)
		r.state.Qts = latest(r.state.Qts, news.counters.Qts)
		r.state.Date = latest(r.state.Date, news.counters.Date)
		r.state.Seq = latest(r.state.Seq, news.counters.Seq)
	}
	maps.Copy(r.channels, news.channels)
	maps.Copy(r.hashes, news.hashes)
	r.due = r.due.followedBy(news)
	if !r.writing {
		r.writing = true
		r.attempted = make(chan struct{})
		go r.write()
	}
	return r.refusal
}

// write writes until nothing is due, or the hold is over. It is called without the mutex.
func (r *records) write() {
	for {
		written, any := r.next()
		if !any {
			return
		}
		err := written.send(r.hold)
		r.settle(written, err)
		if err == nil {
			continue
		}
		select {
		case <-time.After(pause):
		case <-r.hold.Context().Done():
		}
	}
}

// next is what to write next. None: the task is over.
func (r *records) next() (batch, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	next := r.due
	r.due = batch{}
	if next.isEmpty() {
		r.writing = false
		close(r.attempted)
		return next, false
	}
	return next, true
}

// settle ends an attempt. What was not written is due again, unless nothing can be written any more.
func (r *records) settle(written batch, err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.refusal = err
	if r.hold.Context().Err() != nil {
		r.due = batch{}
	} else if err != nil {
		r.due = written.followedBy(r.due)
	}
	close(r.attempted)
	r.attempted = make(chan struct{})
}

func latest[T int32 | int64](known int, given *T) int {
	if given != nil {
		return int(*given)
	}
	return known
}
