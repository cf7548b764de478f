package sessiond

import (
	"slices"
	"testing"
)

func TestPeersAreSentInMessagesThatTheDaemonTakes(t *testing.T) {
	sizes := func(peers []Peer) (sizes []int) {
		for message := range peerMessages(peers) {
			sizes = append(sizes, len(message))
		}
		return sizes
	}
	small := slices.Repeat([]Peer{{ID: 1}}, 2*atOnce+1)
	if found := sizes(small); !slices.Equal(found, []int{atOnce, atOnce, 1}) {
		t.Errorf("small ones: %v", found)
	}
	large := slices.Repeat([]Peer{{ID: 1, Extra: map[string][]byte{"k": make([]byte, 60_000)}}}, 40)
	fit := bytesAtOnce / 60_100
	if found := sizes(large); !slices.Equal(found, []int{fit, fit, 40 - 2*fit}) {
		t.Errorf("large ones: %v", found)
	}
	if found := sizes(nil); found != nil {
		t.Errorf("none: %v", found)
	}
}

func TestAKindIsCalledAsInTheSchema(t *testing.T) {
	for kind, name := range map[PeerKind]string{
		KindUnknown: "UNSPECIFIED", KindUser: "USER", KindGroup: "GROUP", KindChannel: "CHANNEL",
		KindSupergroup: "SUPERGROUP", KindGigagroup: "GIGAGROUP", KindForum: "FORUM", KindDirect: "DIRECT",
		KindCommunity: "COMMUNITY", KindChannelUnknown: "CHANNEL_UNKNOWN",
	} {
		if kind.String() != name {
			t.Errorf("%s is called %s", name, kind)
		}
	}
}
