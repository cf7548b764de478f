package sessiond

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	pb "sessiond.invalid/client/go/sessiondpb"
)

const (
	// atOnce is how many peers, attributes or keys of them are sent in one message: the most that the daemon takes.
	atOnce = 1000
	// bytesAtOnce is how many bytes of peers are: the daemon takes 1 MiB, of which the name and the token need some.
	bytesAtOnce = 1<<20 - 4<<10
)

// PeerFilter says which peers to list. All, unless something is set.
type PeerFilter struct {
	// Kinds are the only ones, KindUnknown among them for those whose kind is not known. Empty: all.
	Kinds []PeerKind
	// AfterID leaves out those with this marked id and lower ones: where an earlier listing ended.
	AfterID *int64
	// SeenAfter leaves out those that were not seen after this, in Unix seconds.
	SeenAfter *int64
}

type peerStream = grpc.ServerStreamingClient[pb.ListPeersResponse]

// PutPeers adds what is known of peers to what is stored, durably. They are kept beside the session: its revision does not
// move, and no watcher is told. It makes as many calls as it takes, one after the other: what those before a failed one have
// put stays. To put them again changes nothing.
func (h *Held) PutPeers(ctx context.Context, peers ...Peer) (Kept, error) {
	var kept Kept
	for message := range peerMessages(peers) {
		request := &pb.PutPeersRequest{Name: h.name, Token: h.token.Expose(), Peers: message}
		answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.PutPeersResponse, error) {
			return h.client.peers.PutPeers(ctx, request)
		})
		if err != nil {
			return kept, err
		}
		kept.add(answer.Revision, answer.Changed)
	}
	return kept, nil
}

// Peers looks peers up: an answer for each key, in their order. Nil: none is known by it. ErrLimitExceeded says that they are
// too large to be answered together: ask for fewer.
func (h *Held) Peers(ctx context.Context, keys ...PeerKey) ([]*Peer, error) {
	found := make([]*Peer, 0, len(keys))
	for keys := range slices.Chunk(keys, atOnce) {
		request := &pb.GetPeersRequest{Name: h.name, Token: h.token.Expose()}
		for _, key := range keys {
			request.Keys = append(request.Keys, key.toWire())
		}
		answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.GetPeersResponse, error) {
			return h.client.peers.GetPeers(ctx, request)
		})
		if err != nil {
			return nil, err
		}
		for _, result := range answer.Results {
			var peer *Peer
			if result.Peer != nil {
				peer = new(peerOf(result.Peer))
			}
			found = append(found, peer)
		}
	}
	return found, nil
}

// ListPeers gives the peers that a filter lets through, by ascending id and as they are when it begins to be read. An error
// is the last thing that it gives; PeerFilter.AfterID goes on from there.
func (h *Held) ListPeers(ctx context.Context, filter PeerFilter) iter.Seq2[Peer, error] {
	request := &pb.ListPeersRequest{
		Name: h.name, Token: h.token.Expose(), AfterId: filter.AfterID, SeenAfter: filter.SeenAfter,
	}
	for _, kind := range filter.Kinds {
		request.Kinds = append(request.Kinds, pb.PeerKind(kind))
	}
	return func(yield func(Peer, error) bool) {
		if err := h.listPeers(ctx, request, yield); err != nil {
			yield(Peer{}, h.lostBy(ctx, err))
		}
	}
}

// DeletePeers forgets peers, by their marked ids. Those that are not known do not matter.
func (h *Held) DeletePeers(ctx context.Context, ids ...int64) (Kept, error) {
	var kept Kept
	for ids := range slices.Chunk(ids, atOnce) {
		if err := h.deletePeers(ctx, &kept, &pb.DeletePeersRequest{Ids: ids}); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

// DeleteAllPeers forgets all peers, as when another account logs in.
func (h *Held) DeleteAllPeers(ctx context.Context) (Kept, error) {
	var kept Kept
	err := h.deletePeers(ctx, &kept, &pb.DeletePeersRequest{All: true})
	return kept, err
}

func (h *Held) deletePeers(ctx context.Context, kept *Kept, request *pb.DeletePeersRequest) error {
	request.Name, request.Token = h.name, h.token.Expose()
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.DeletePeersResponse, error) {
		return h.client.peers.DeletePeers(ctx, request)
	})
	kept.add(answer.GetRevision(), answer.GetDeleted())
	return err
}

// listPeers begins a listing, again as long as no daemon answers, and reads it to its end or until yield has enough.
func (h *Held) listPeers(ctx context.Context, request *pb.ListPeersRequest, yield func(Peer, error) bool) error {
	if err := h.check(); err != nil {
		return err
	}
	retry := h.client.retry(ctx)
	for {
		attempt, cancel := context.WithCancel(ctx)
		callOff := retry.guard(cancel)
		stream, err := h.client.peers.ListPeers(attempt, request)
		if err == nil {
			var first *pb.ListPeersResponse
			if first, err = receive(stream); err == nil {
				callOff()
				defer cancel()
				return h.readPeers(ctx, stream, first, yield)
			}
		}
		callOff()
		cancel()
		if err := retry.pause(ctx, err); err != nil {
			return err
		}
	}
}

func (h *Held) readPeers(
	ctx context.Context, stream peerStream, response *pb.ListPeersResponse, yield func(Peer, error) bool,
) (err error) {
	for ; err == nil; response, err = stream.Recv() {
		for _, peer := range response.Peers {
			if !yield(peerOf(peer), nil) {
				return nil
			}
		}
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case isPassing(err):
		return h.client.unavailable(err)
	default:
		return refusal(err)
	}
}

func (k *Kept) add(revision int64, changed int32) {
	k.Revision = revision
	k.Changed += int(changed)
}

func (k PeerKey) toWire() *pb.PeerKey {
	if k.key == nil {
		return &pb.PeerKey{}
	}
	return k.key
}

// peerMessages gives peers in as few messages as the daemon takes them in.
func peerMessages(peers []Peer) iter.Seq[[]*pb.Peer] {
	return func(yield func([]*pb.Peer) bool) {
		var message []*pb.Peer
		room := bytesAtOnce
		for _, peer := range peers {
			wire := peer.toWire()
			bytes := proto.Size(wire) + 8 // its tag and its length before it
			if len(message) > 0 && (len(message) == atOnce || bytes > room) {
				if !yield(message) {
					return
				}
				message, room = nil, bytesAtOnce
			}
			message = append(message, wire)
			room -= bytes
		}
		if len(message) > 0 {
			yield(message)
		}
	}
}
