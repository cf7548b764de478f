package sessiond

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// This file is the one place that knows both the schema's messages and the package's types.

func (s *Session) toWire() *pb.Session {
	if s == nil {
		return nil
	}
	message := &pb.Session{HomeDc: s.HomeDC, TestMode: s.TestMode, State: s.State.toWire(), User: s.User.toWire()}
	for _, dc := range s.DCs {
		message.Dcs = append(message.Dcs, &pb.DataCenter{
			Id: dc.ID, Ipv4Addr: dc.IPv4Addr, Ipv6Addr: dc.IPv6Addr, Auth: dc.Auth.Expose(), HasAuth: dc.HasAuth,
		})
	}
	return message
}

func (u *User) toWire() *pb.User {
	if u == nil {
		return nil
	}
	return &pb.User{Id: u.ID, Dc: u.DC, Bot: u.Bot, Username: u.Username}
}

func (s *UpdateState) toWire() *pb.UpdateState {
	if s == nil {
		return nil
	}
	return &pb.UpdateState{
		Pts: s.Pts, Qts: s.Qts, Date: s.Date, Seq: s.Seq, Channels: channelsToWire(s.Channels),
	}
}

// toWire copies all of it: a change may be sent after the caller has used the variables behind its pointers again.
func (c StateChange) toWire() *pb.StateChange {
	return &pb.StateChange{
		Pts: copied(c.Pts), Qts: copied(c.Qts), Date: copied(c.Date), Seq: copied(c.Seq),
		Channels: channelsToWire(c.Channels), RemovedChannels: slices.Clone(c.RemovedChannels),
	}
}

func (c Clear) toWire() *pb.SaveClear {
	return &pb.SaveClear{
		AuthDcs: c.AuthDCs, AllAuth: c.AllAuth, User: c.User, State: c.State, Channels: c.Channels,
	}
}

func channelsToWire(channels []ChannelState) []*pb.ChannelState {
	messages := make([]*pb.ChannelState, 0, len(channels))
	for _, channel := range channels {
		messages = append(messages, &pb.ChannelState{Id: channel.ID, Pts: channel.Pts})
	}
	return messages
}

// sessionOf reads a session. The error is one of an answer that this version cannot read.
func sessionOf(message *pb.Session) (*Session, error) {
	if message == nil {
		return nil, nil
	}
	session := &Session{
		User: userOf(message.User), State: stateOf(message.State), HomeDC: message.HomeDc, TestMode: message.TestMode,
	}
	for _, dc := range message.Dcs {
		auth, err := authOf(dc.Auth)
		if err != nil {
			return nil, unexpected(err)
		}
		session.DCs = append(session.DCs, DataCenter{
			ID: dc.Id, IPv4Addr: dc.Ipv4Addr, IPv6Addr: dc.Ipv6Addr, Auth: auth, HasAuth: dc.HasAuth,
		})
	}
	return session, nil
}

func authOf(key []byte) (AuthKey, error) {
	if len(key) == 0 {
		return AuthKey{}, nil
	}
	return NewAuthKey(key)
}

func userOf(message *pb.User) *User {
	if message == nil {
		return nil
	}
	return &User{ID: message.Id, DC: message.Dc, Bot: message.Bot, Username: message.Username}
}

func stateOf(message *pb.UpdateState) *UpdateState {
	if message == nil {
		return nil
	}
	return &UpdateState{
		Pts: message.Pts, Qts: message.Qts, Date: message.Date, Seq: message.Seq, Channels: channelsOf(message.Channels),
	}
}

func changeOf(message *pb.StateChange) StateChange {
	return StateChange{
		Pts: message.Pts, Qts: message.Qts, Date: message.Date, Seq: message.Seq,
		Channels: channelsOf(message.Channels), RemovedChannels: message.RemovedChannels,
	}
}

func channelsOf(messages []*pb.ChannelState) []ChannelState {
	var channels []ChannelState
	for _, message := range messages {
		channels = append(channels, ChannelState{ID: message.Id, Pts: message.Pts})
	}
	return channels
}

func holderOf(message *pb.Holder) *Holder {
	if message == nil {
		return nil
	}
	return &Holder{
		Label: message.Label, PID: message.Pid, UID: message.Uid, Executable: message.Executable,
		Since: timeOf(message.Since), Host: message.Host,
	}
}

func summaryOf(message *pb.SessionSummary) SessionSummary {
	return SessionSummary{
		Name: message.Name, Revision: message.Revision, User: userOf(message.User), Changed: timeOf(message.Changed),
		Holder: holderOf(message.Holder), Pts: message.Pts, ChannelCount: message.ChannelCount,
		DCsWithAuth: message.DcsWithAuth, Waiting: message.Waiting, Watchers: message.Watchers,
		Damaged: message.Damaged, TestMode: message.TestMode,
	}
}

func serverInfoOf(message *pb.GetServerInfoResponse) ServerInfo {
	figures := message.GetFigures()
	return ServerInfo{
		Version: message.Version, Engine: message.Engine, StoreID: message.StoreId, Features: message.Features,
		Figures: Figures{
			Started: timeOf(figures.GetStarted()), Revision: figures.GetRevision(), LogAfter: figures.GetLogAfter(),
			LogBytes: figures.GetLogBytes(), Sessions: figures.GetSessions(), Held: figures.GetHeld(),
			Waiting: figures.GetWaiting(), Watchers: figures.GetWatchers(), Commits: figures.GetCommits(),
			Batches: figures.GetBatches(), CommitP50: durationOf(figures.GetCommitP50()),
			CommitP99: durationOf(figures.GetCommitP99()),
		},
	}
}

func (p Peer) toWire() *pb.Peer {
	message := &pb.Peer{
		Id: p.ID, AccessHash: p.AccessHash, Kind: pb.PeerKind(p.Kind), Bot: p.Bot, IsSelf: p.IsSelf, Min: p.Min,
		Phone: p.Phone, Name: p.Name, Seen: p.Seen, Extra: p.Extra,
	}
	if p.Usernames != nil {
		message.Usernames = &pb.Usernames{Names: p.Usernames}
	}
	return message
}

func peerOf(message *pb.Peer) Peer {
	peer := Peer{
		ID: message.Id, AccessHash: message.AccessHash, Kind: PeerKind(message.Kind), Bot: message.Bot,
		IsSelf: message.IsSelf, Min: message.Min, Phone: message.Phone, Name: message.Name, Seen: message.Seen,
		Extra: message.Extra,
	}
	if message.Usernames != nil {
		peer.Usernames = append([]string{}, message.Usernames.Names...)
	}
	return peer
}

func attributeOf(message *pb.Attribute) Attribute {
	return Attribute{Key: message.Key, Value: message.Value, Secret: message.Secret, HasValue: message.HasValue}
}

// timeOf is zero for a time that is absent.
func timeOf(timestamp *timestamppb.Timestamp) time.Time {
	if timestamp == nil {
		return time.Time{}
	}
	return timestamp.AsTime()
}

// durationOf is zero for a duration that is absent.
func durationOf(duration *durationpb.Duration) time.Duration {
	if duration == nil {
		return 0
	}
	return duration.AsDuration()
}

func copied[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return new(*value)
}
