package gotd

import (
	"cmp"
	"maps"
	"slices"

	sessiond "sessiond.invalid/client/go"
)

// batch is what is written together: of everything that was set, the latest value.
type batch struct {
	// counters are those that were set. Its channels are in channels.
	counters sessiond.StateChange
	channels map[int64]int32
	// hashes are access hashes, by marked id.
	hashes map[int64]int64
}

func batchOf(change sessiond.StateChange) batch {
	b := batch{counters: change}
	b.counters.Channels = nil
	for _, channel := range change.Channels {
		b.channels = with(b.channels, map[int64]int32{channel.ID: channel.Pts})
	}
	return b
}

// followedBy is what both come to. The maps of b are not to be used any more.
func (b batch) followedBy(later batch) batch {
	return batch{
		counters: sessiond.StateChange{
			Pts:  cmp.Or(later.counters.Pts, b.counters.Pts),
			Qts:  cmp.Or(later.counters.Qts, b.counters.Qts),
			Date: cmp.Or(later.counters.Date, b.counters.Date),
			Seq:  cmp.Or(later.counters.Seq, b.counters.Seq),
		},
		channels: with(b.channels, later.channels),
		hashes:   with(b.hashes, later.hashes),
	}
}

func (b batch) isEmpty() bool { return !b.hasChange() && len(b.hashes) == 0 }

func (b batch) hasChange() bool {
	c := b.counters
	return c.Pts != nil || c.Qts != nil || c.Date != nil || c.Seq != nil || len(b.channels) > 0
}

// send writes it: first the access hashes, since gotd leaves out a channel whose state it finds without one.
func (b batch) send(hold *sessiond.Hold) error {
	ctx := hold.Context()
	peers := make([]sessiond.Peer, 0, len(b.hashes))
	for _, id := range slices.Sorted(maps.Keys(b.hashes)) {
		// gotd keeps no hash of a peer that it knows only as min. The kind that another library has found out stays.
		peers = append(peers, sessiond.Peer{ID: id, AccessHash: new(b.hashes[id]), Min: new(false)})
	}
	if _, err := hold.PutPeers(ctx, peers...); err != nil || !b.hasChange() {
		return err
	}
	change := b.counters
	for _, id := range slices.Sorted(maps.Keys(b.channels)) {
		change.Channels = append(change.Channels, sessiond.ChannelState{ID: id, Pts: b.channels[id]})
	}
	_, err := hold.Advance(ctx, change)
	return err
}

func with[V any](known, news map[int64]V) map[int64]V {
	if known == nil && len(news) > 0 {
		known = make(map[int64]V, len(news))
	}
	maps.Copy(known, news)
	return known
}
