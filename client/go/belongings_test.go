package sessiond_test

import (
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"

	sessiond "sessiond.invalid/client/go"
)

func TestPeersComeBackAsTheyWerePut(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	anna := somebody()
	if kept := ok(hold.PutPeers(ctx, anna))(t); kept.Changed != 1 || kept.Revision == 0 {
		t.Errorf("kept: %+v", kept)
	}
	if kept := ok(hold.PutPeers(ctx, anna))(t); kept.Changed != 0 {
		t.Errorf("put again: %+v", kept)
	}
	keys := []sessiond.PeerKey{
		sessiond.PeerID(5), sessiond.PeerUsername("ANNA2"), sessiond.PeerPhone("4917100"), sessiond.PeerName("Anna"),
		sessiond.PeerID(6),
	}
	found := ok(hold.Peers(ctx, keys...))(t)
	for i, peer := range found[:4] {
		if peer == nil || !reflect.DeepEqual(*peer, anna) {
			t.Errorf("key %v: %v", keys[i], peer)
		}
	}
	if found[4] != nil {
		t.Errorf("found: %v", found[4])
	}
}

// somebody is a peer with everything that one can have.
func somebody() sessiond.Peer {
	return sessiond.Peer{
		ID: 5, AccessHash: new(int64(math.MinInt64)), Kind: sessiond.KindUser, Bot: new(false), IsSelf: new(true),
		Min: new(false), Usernames: []string{"anna", "anna2"}, Phone: new("4917100"), Name: new("Anna"),
		Seen: new(int64(1_700_000_000)), Extra: map[string][]byte{"lib.x": {1}},
	}
}

func TestPeersAreListedByTheirIDs(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	channel := sessiond.Peer{ID: sessiond.ChannelID(7), AccessHash: new(int64(0)), Seen: new(int64(1))}
	ok(hold.PutPeers(ctx, somebody(), channel))(t)
	var ids []int64
	for peer, err := range hold.ListPeers(ctx, sessiond.PeerFilter{}) {
		succeeds(t, err)
		ids = append(ids, peer.ID)
	}
	if !slices.Equal(ids, []int64{sessiond.ChannelID(7), 5}) || channel.BareID() != 7 {
		t.Errorf("listed: %v", ids)
	}
	for peer, err := range hold.ListPeers(ctx, sessiond.PeerFilter{AfterID: new(int64(0)), SeenAfter: new(int64(2))}) {
		succeeds(t, err)
		if peer.ID != 5 {
			t.Errorf("listed: %v", peer)
		}
	}
	if kept := ok(hold.DeletePeers(ctx, 5, 6))(t); kept.Changed != 1 {
		t.Errorf("deleted: %+v", kept)
	}
	if kept := ok(hold.DeleteAllPeers(ctx))(t); kept.Changed != 1 {
		t.Errorf("deleted: %+v", kept)
	}
}

func TestAsManyPeersArePutAsThereAre(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	peers := make([]sessiond.Peer, 2500)
	keys := make([]sessiond.PeerKey, len(peers))
	for i := range peers {
		peers[i].ID = int64(i + 1)
		keys[i] = sessiond.PeerID(int64(i + 1))
	}
	if kept := ok(hold.PutPeers(ctx, peers...))(t); kept.Changed != len(peers) {
		t.Errorf("kept: %+v", kept)
	}
	for i, peer := range ok(hold.Peers(ctx, keys...))(t) {
		if peer.ID != int64(i+1) {
			t.Fatalf("key %v: %v", keys[i], peer)
		}
	}
}

func TestAttributesComeBackAsTheyWerePut(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	put := []sessiond.Attribute{
		{Key: "lib.a", Value: []byte{0, 255}}, {Key: "lib.b", Value: []byte{1}, Secret: true}, {Key: "lib.c"},
	}
	ok(hold.PutAttributes(ctx, put))(t)
	listed := func(filter sessiond.AttributeFilter) map[string]sessiond.Attribute {
		all := make(map[string]sessiond.Attribute)
		for attribute, err := range hold.ListAttributes(ctx, filter) {
			succeeds(t, err)
			all[attribute.Key] = attribute
		}
		return all
	}
	all := listed(sessiond.AttributeFilter{Prefix: "lib."})
	if len(all) != 3 || !slices.Equal(all["lib.a"].Value, put[0].Value) || !all["lib.b"].Secret || !all["lib.b"].HasValue {
		t.Errorf("listed: %v", all)
	}
	if keys := listed(sessiond.AttributeFilter{KeysOnly: true}); keys["lib.a"].Value != nil || !keys["lib.a"].HasValue {
		t.Errorf("keys: %v", slices.Collect(maps.Keys(keys)))
	}
	_, err := hold.PutAttributes(ctx, []sessiond.Attribute{{Key: "lib.b"}})
	var invalid *sessiond.InvalidArgumentError
	if !errors.As(err, &invalid) {
		t.Errorf("a secret is one no longer: %v", err)
	}
	ok(hold.PutAttributes(ctx, nil, "lib.b"))(t)
	if found := ok(hold.Attributes(ctx, "lib.b", "lib.a"))(t); len(found) != 1 || found[0].Key != "lib.a" {
		t.Errorf("found: %v", found)
	}
	if kept := ok(hold.DeleteAttributes(ctx, "lib.a", "lib.z"))(t); kept.Changed != 1 {
		t.Errorf("deleted: %+v", kept)
	}
	if kept := ok(hold.DeleteAttributesBelow(ctx, "lib."))(t); kept.Changed != 1 {
		t.Errorf("deleted: %+v", kept)
	}
}

func TestEverySessionIsListed(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	for _, name := range []string{"b", "a2", "a1"} {
		hold := ok(client.Hold(ctx, name, sessiond.Label(name)))(t)
		ok(hold.Advance(ctx, sessiond.StateChange{Pts: new(int32(1))}))(t)
	}
	var names []string
	for summary, err := range client.List(ctx, "a") {
		succeeds(t, err)
		names = append(names, summary.Name)
		if summary.Holder.Label != summary.Name || *summary.Pts != 1 || summary.Revision == 0 || summary.Changed.IsZero() {
			t.Errorf("summary: %+v", summary)
		}
	}
	if !slices.Equal(names, []string{"a1", "a2"}) {
		t.Errorf("listed: %v", names)
	}
}

func TestADaemonTellsWhatItIs(t *testing.T) {
	client := startDaemon(t).connect(t)
	ctx := within(t)
	ok(client.Hold(ctx, "alice"))(t)
	info := ok(client.Info(ctx))(t)
	if info.Engine != "sqlite" || info.StoreID == "" || !slices.Contains(info.Features, "peers") ||
		info.Figures.Held != 1 || info.Figures.Started.IsZero() {
		t.Errorf("info: %+v", info)
	}
}
