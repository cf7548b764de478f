package sessiond

import (
	"context"
	"maps"
	"slices"
	"sync"

	pb "sessiond.invalid/client/go/sessiondpb"
)

const (
	// mostUnacknowledged is how many changes are on their way at once. Room for the batches that the daemon commits while the
	// acknowledgement of an earlier one travels; a few hundred bytes each.
	mostUnacknowledged = 8192
	// mostJoined is how many channels a message has that is sent again, at most 18 bytes for each: within the daemon's limits of
	// both.
	mostJoined = 100_000
)

// changeQueue is the changes of an advance stream, between the program and the daemon.
type changeQueue struct {
	mutex sync.Mutex
	// changes are those that are not acknowledged, oldest first.
	changes []queuedChange
	// sent is how many of them this connection has sent.
	sent int
	// settled is how many more it has sent, that are acknowledged since. Every connection numbers its changes from 1.
	settled int64
	pushed  int64
	// acknowledged is up to where all is durable.
	acknowledged Acknowledged
	// end is why no more changes are taken.
	end error
	// arrived wakes who sends: there is a change. moved wakes who waits for acknowledgements.
	arrived, moved signal
}

// queuedChange is a change, or several as one, or a part of that.
type queuedChange struct {
	// last is the sequence of the last one that is durable with it.
	last    int64
	content *pb.StateChange
}

// signal wakes whoever waits for the next time that it is given. It is guarded by its owner's mutex.
type signal struct {
	channel chan struct{}
}

// push adds a change and gives its sequence. It waits while too many are unacknowledged.
func (q *changeQueue) push(ctx context.Context, content *pb.StateChange) (int64, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	err := q.waitUntil(ctx, &q.moved, func() bool { return q.pushed-q.acknowledged.Sequence < mostUnacknowledged })
	if err != nil {
		return 0, err
	}
	q.pushed++
	q.changes = append(q.changes, queuedChange{q.pushed, content})
	q.arrived.give()
	return q.pushed, nil
}

// last is the sequence of the newest change.
func (q *changeQueue) last() int64 {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.pushed
}

// reached waits until every change up to this sequence is durable.
func (q *changeQueue) reached(ctx context.Context, sequence int64) (Acknowledged, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	err := q.waitUntil(ctx, &q.moved, func() bool { return q.acknowledged.Sequence >= sequence })
	return q.acknowledged, err
}

// filled waits until there is something to send, if there is nothing. Whether it had to wait.
func (q *changeQueue) filled(ctx context.Context) (waited bool, err error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	waited = len(q.changes) == 0
	return waited, q.waitUntil(ctx, &q.arrived, func() bool { return len(q.changes) > 0 })
}

// next is the next change for the connection, in its numbering, once there is one.
func (q *changeQueue) next(ctx context.Context) (int64, *pb.StateChange, error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if err := q.waitUntil(ctx, &q.arrived, func() bool { return q.sent < len(q.changes) }); err != nil {
		return 0, nil, err
	}
	change := q.changes[q.sent]
	q.sent++
	return q.settled + int64(q.sent), change.content, nil
}

// begin begins a connection. What the last one sent and was not acknowledged becomes one change, or as many as it takes. That
// connection is done with: it takes no more changes.
func (q *changeQueue) begin() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	sent := q.sent
	q.sent, q.settled = 0, 0
	if sent < 2 {
		return
	}
	parts := split(join(q.changes[:sent]))
	again := make([]queuedChange, 0, len(parts)+len(q.changes)-sent)
	for _, part := range parts {
		again = append(again, queuedChange{q.acknowledged.Sequence, part}) // with a part of them none is durable
	}
	again[len(again)-1].last = q.changes[sent-1].last
	q.changes = append(again, q.changes[sent:]...)
}

// acknowledge takes an acknowledgement of this connection.
func (q *changeQueue) acknowledge(sequence, revision int64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	fresh := int(min(max(sequence-q.settled, 0), int64(q.sent)))
	if fresh == 0 {
		return
	}
	last := q.changes[fresh-1].last
	clear(q.changes[:fresh])
	q.changes = q.changes[fresh:]
	q.sent -= fresh
	q.settled += int64(fresh)
	if last > q.acknowledged.Sequence {
		q.acknowledged = Acknowledged{last, revision}
		q.moved.give()
	}
}

// firstOf is the sequence of the change that this connection sent under sequence; of several as one, of the first of them.
func (q *changeQueue) firstOf(sequence int64) int64 {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if before := sequence - q.settled - 2; before >= 0 && before < int64(len(q.changes)) {
		return q.changes[before].last + 1
	}
	return q.acknowledged.Sequence + 1
}

// finish takes no more changes, for this reason. The first reason stays.
func (q *changeQueue) finish(end error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.end == nil {
		q.end = end
	}
	q.arrived.give()
	q.moved.give()
}

// waitUntil waits, without the mutex, until enough is true. It is an error that the queue has ended, or before that the
// context.
func (q *changeQueue) waitUntil(ctx context.Context, signal *signal, enough func() bool) error {
	for {
		switch {
		case q.end != nil:
			return q.end
		case enough():
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		}
		given := signal.next()
		q.mutex.Unlock()
		select {
		case <-given:
		case <-ctx.Done():
		}
		q.mutex.Lock()
	}
}

func (s *signal) next() <-chan struct{} {
	if s.channel == nil {
		s.channel = make(chan struct{})
	}
	return s.channel
}

func (s *signal) give() {
	if s.channel != nil {
		close(s.channel)
		s.channel = nil
	}
}

// join makes one change of several, with the same effect.
func join(changes []queuedChange) *pb.StateChange {
	one := new(pb.StateChange)
	channels := make(map[int64]*pb.ChannelState) // nil: removed
	for _, change := range changes {
		content := change.content
		one.Pts, one.Qts = later(one.Pts, content.Pts), later(one.Qts, content.Qts)
		one.Date, one.Seq = later(one.Date, content.Date), later(one.Seq, content.Seq)
		for _, channel := range content.Channels {
			channels[channel.Id] = channel
		}
		for _, id := range content.RemovedChannels {
			channels[id] = nil
		}
	}
	for _, id := range slices.Sorted(maps.Keys(channels)) {
		if channel := channels[id]; channel != nil {
			one.Channels = append(one.Channels, channel)
		} else {
			one.RemovedChannels = append(one.RemovedChannels, id)
		}
	}
	return one
}

// split makes as many changes of one as it takes for no message to be too large. Each channel has its last value at once, so
// that none is seen to go back. What is forgotten comes first, so that there are never more channels than before or after;
// the counters come last.
func split(change *pb.StateChange) []*pb.StateChange {
	if len(change.Channels)+len(change.RemovedChannels) <= mostJoined {
		return []*pb.StateChange{change}
	}
	var parts []*pb.StateChange
	for ids := range slices.Chunk(change.RemovedChannels, mostJoined) {
		parts = append(parts, &pb.StateChange{RemovedChannels: ids})
	}
	for channels := range slices.Chunk(change.Channels, mostJoined) {
		parts = append(parts, &pb.StateChange{Channels: channels})
	}
	last := parts[len(parts)-1]
	last.Pts, last.Qts, last.Date, last.Seq = change.Pts, change.Qts, change.Date, change.Seq
	return parts
}

func later[T any](known, given *T) *T {
	if given != nil {
		return given
	}
	return known
}
