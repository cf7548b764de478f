package sessiond

import (
	"slices"
	"testing"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// queueOf has changes of pts 1 and up.
func queueOf(t *testing.T, changes int32) *changeQueue {
	q := new(changeQueue)
	for pts := int32(1); pts <= changes; pts++ {
		if _, err := q.push(t.Context(), &pb.StateChange{Pts: &pts}); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// send takes as many changes as a connection would, and gives their numbers and pts.
func send(t *testing.T, q *changeQueue, changes int) (sent [][2]int64) {
	for range changes {
		sequence, change, err := q.next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, [2]int64{sequence, int64(change.GetPts())})
	}
	return sent
}

func TestAcknowledgementsAreCountedOverAllConnections(t *testing.T) {
	q := queueOf(t, 5)
	send(t, q, 4)
	acknowledge := func(sequence, revision int64, expected Acknowledged) {
		t.Helper()
		q.acknowledge(sequence, revision)
		if q.acknowledged != expected {
			t.Errorf("acknowledged: %+v", q.acknowledged)
		}
	}
	acknowledge(2, 10, Acknowledged{2, 10})
	q.begin()
	if sent := send(t, q, 2); !slices.Equal(sent, [][2]int64{{1, 4}, {2, 5}}) {
		t.Errorf("sent: %v", sent)
	}
	acknowledge(1, 11, Acknowledged{4, 11})
	acknowledge(2, 12, Acknowledged{5, 12})
	acknowledge(2, 13, Acknowledged{5, 12})
}

func TestARefusedChangeIsNamedByItsOwnSequence(t *testing.T) {
	q := queueOf(t, 6)
	send(t, q, 4)
	expect := func(sent, pushed int64) {
		t.Helper()
		if first := q.firstOf(sent); first != pushed {
			t.Errorf("change %d of the connection is %d, not %d", sent, first, pushed)
		}
	}
	expect(1, 1)
	expect(4, 4)
	q.acknowledge(1, 10)
	expect(2, 2)
	expect(4, 4)
	q.begin()
	send(t, q, 3)
	expect(1, 2)
	expect(2, 5)
	expect(3, 6)
}

func TestWhatIsSentAgainIsOneChangeWithTheSameEffect(t *testing.T) {
	change := func(pts *int32, set []int64, removed ...int64) queuedChange {
		content := &pb.StateChange{Pts: pts, RemovedChannels: removed}
		for _, id := range set {
			content.Channels = append(content.Channels, &pb.ChannelState{Id: id, Pts: int32(id)})
		}
		return queuedChange{content: content}
	}
	one := join([]queuedChange{
		change(new(int32(1)), []int64{5, 3}, 9), change(nil, []int64{9}, 5), change(new(int32(0)), nil),
	})
	ids := []int64{one.Channels[0].Id, one.Channels[1].Id}
	if one.GetPts() != 0 || one.Pts == nil || !slices.Equal(ids, []int64{3, 9}) || !slices.Equal(one.RemovedChannels, []int64{5}) {
		t.Errorf("joined: %v", one)
	}
}

func TestAChangeTooLargeForAMessageIsSeveral(t *testing.T) {
	large := &pb.StateChange{Pts: new(int32(7)), RemovedChannels: make([]int64, mostJoined+1)}
	large.Channels = make([]*pb.ChannelState, mostJoined+1)
	parts := split(large)
	if len(parts) != 4 || len(parts[0].RemovedChannels) != mostJoined || len(parts[3].Channels) != 1 {
		t.Errorf("%d parts", len(parts))
	}
	for i, part := range parts {
		if (part.Pts != nil) != (i == 3) {
			t.Errorf("part %d has pts %v", i, part.Pts)
		}
	}
}
