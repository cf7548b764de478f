package sessiond

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// channelMark is what bare ids of channels are marked with (https://core.telegram.org/api/bots/ids).
const channelMark = 1_000_000_000_000

// Peer is a user, group or channel that the session's account met, and what it takes to address it.
//
// What is nil is not known; put over what is stored, it keeps what is known. Package fmt, package log/slog and JSON show the
// id and the kind alone: access hashes are secret, and names and phone numbers are nobody else's business.
type Peer struct {
	// ID is the marked id, not 0: a user's as it is, a basic group's negative, a channel's as ChannelID marks it.
	ID int64
	// AccessHash proves to Telegram that the account met the peer. 0 is a value: basic groups need none.
	AccessHash *int64
	// Kind is what it is.
	Kind PeerKind
	// Bot is whether it is a bot.
	Bot *bool
	// IsSelf is whether it is the account itself. At most one of a session's peers is: another one that is put takes its place.
	IsSelf *bool
	// Min is whether it was met only as a part of something else (https://core.telegram.org/api/min). A put that says so never
	// changes the access hash, usernames, phone, name or extra of a peer that is known in full.
	Min *bool
	// Usernames are without "@", at most 100, the primary one first. Nil: not known; empty: forgets them.
	Usernames []string
	// Phone is its phone number, digits alone. Empty: forgets it.
	Phone *string
	// Name is the one that people see, at most 1,024 bytes. Empty: forgets it.
	Name *string
	// Seen is when it was last seen, in Unix seconds. Nil: now. It never goes back; where nothing else is new, it is kept only
	// once it is 600 seconds newer.
	Seen *int64
	// Extra is what single libraries keep of it, by keys that begin with the library's name and a dot. Merged by key; an empty
	// value deletes one. All of a peer's have at most 64 KiB together.
	Extra map[string][]byte
}

// PeerKind is what a peer is.
type PeerKind int32

// The kinds of peers, numbered as in the schema.
const (
	// KindUnknown is one that is not known; put, it keeps what is known.
	KindUnknown PeerKind = iota
	// KindUser is a user or a bot.
	KindUser
	// KindGroup is a basic group.
	KindGroup
	// KindChannel is a channel in which its owners speak.
	KindChannel
	// KindSupergroup is a channel in which its members speak.
	KindSupergroup
	// KindGigagroup is a supergroup without a limit on members, in which admins speak.
	KindGigagroup
	// KindForum is a supergroup with topics.
	KindForum
	// KindDirect is the direct messages of a channel.
	KindDirect
	// KindCommunity is a community of groups and channels.
	KindCommunity
	// KindChannelUnknown is a channel of any of these kinds.
	KindChannelUnknown
)

// String is the kind as the schema names it, without its prefix: "USER".
func (k PeerKind) String() string { return strings.TrimPrefix(pb.PeerKind(k).String(), "PEER_KIND_") }

// ChannelID marks the bare id of a channel, which is positive.
func ChannelID(bare int64) int64 { return -(channelMark + bare) }

// BareID is the peer's id as Telegram's own schema has it in user_id, chat_id or channel_id: positive.
func (p Peer) BareID() int64 {
	switch {
	case p.ID < -channelMark:
		return -(p.ID + channelMark)
	case p.ID < 0:
		return -p.ID
	default:
		return p.ID
	}
}

// Format writes the id and the kind, whatever the verb.
func (p Peer) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "Peer(%d, %s)", p.ID, p.Kind)
}

// LogValue has the id and the kind.
func (p Peer) LogValue() slog.Value {
	return slog.GroupValue(slog.Int64("id", p.ID), slog.String("kind", p.Kind.String()))
}

// MarshalJSON writes the id and the kind: JSON is for logs here, and not a way to keep peers.
func (p Peer) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{"id": p.ID, "kind": p.Kind.String()})
}

// PeerKey is what a peer is looked up by. Of several that have it, the one that was seen last is meant. It is made by
// PeerID, PeerUsername, PeerPhone or PeerName, and shows in print no more than which of them.
type PeerKey struct {
	key *pb.PeerKey
}

// PeerID is a peer's marked id.
func PeerID(id int64) PeerKey { return PeerKey{&pb.PeerKey{Key: &pb.PeerKey_Id{Id: id}}} }

// PeerUsername is one of a peer's usernames, without "@", in any case. Not found by it is who is known only as min.
func PeerUsername(username string) PeerKey {
	return PeerKey{&pb.PeerKey{Key: &pb.PeerKey_Username{Username: username}}}
}

// PeerPhone is a peer's phone number, digits alone. Not found by it is who is known only as min.
func PeerPhone(phone string) PeerKey {
	return PeerKey{&pb.PeerKey{Key: &pb.PeerKey_Phone{Phone: phone}}}
}

// PeerName is the name that people see, exactly.
func PeerName(name string) PeerKey {
	return PeerKey{&pb.PeerKey{Key: &pb.PeerKey_PeerName{PeerName: name}}}
}

// Format writes the id, or which of the others it is, whatever the verb.
func (k PeerKey) Format(state fmt.State, _ rune) {
	text := "PeerKey()"
	switch key := k.key.GetKey().(type) {
	case *pb.PeerKey_Id:
		text = fmt.Sprintf("PeerID(%d)", key.Id)
	case *pb.PeerKey_Username:
		text = "PeerUsername(..)"
	case *pb.PeerKey_Phone:
		text = "PeerPhone(..)"
	case *pb.PeerKey_PeerName:
		text = "PeerName(..)"
	}
	_, _ = fmt.Fprint(state, text)
}
