package sessiond

import (
	"strings"
	"time"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// Event is something that happened, or how things stand: one of Restarted, Snapshot, Synced, Bookmark, and the commits
// Advanced, Saved, Deleted, HoldChanged and OtherCommit. No session in it has keys: one that is there is withheld.
type Event interface {
	isEvent()
}

// Restarted says that the watch starts over: forget everything. What has no snapshot after this does not exist.
type Restarted struct {
	Reason RestartReason
}

// Snapshot is a session as it is. They come between Restarted and Synced.
type Snapshot struct {
	Name string
	// Revision is the session's. 0: it is held, and has no data.
	Revision int64
	// Session is nil where it is held, and has no data.
	Session *Session
	// Holder is who holds it. Nil: nobody.
	Holder *Holder
}

// Synced says that every selected session has had its snapshot; commits follow.
type Synced struct {
	// Revision is up to where everything has been told.
	Revision int64
	// StoreID is the identity of the store.
	StoreID string
}

// Bookmark says that nothing else happened.
type Bookmark struct {
	// Revision is up to where everything has been told.
	Revision int64
}

// Commit is what every commit has. They come in order, each once, and none is left out.
type Commit struct {
	// Name is the session's.
	Name     string
	Revision int64
	// PreviousRevision is the session's before it. 0: there was no session.
	PreviousRevision int64
	Time             time.Time
}

// Advanced is a commit that set the session's counters.
type Advanced struct {
	Commit
	Change StateChange
}

// Saved is a commit that saved the session; Session is all of it, without keys.
type Saved struct {
	Commit
	Session *Session
}

// Deleted is a commit that deleted the session.
type Deleted struct {
	Commit
}

// HoldChanged is a commit that began or ended a hold. The session's revision did not move.
type HoldChanged struct {
	Commit
	// Holder is who holds the session now. Nil: nobody.
	Holder *Holder
	// Reason is why the hold before it ended, if somebody ended it. Empty: it was released, or its process is gone.
	Reason LostReason
}

// OtherCommit is one of which this version does not know what it changed.
type OtherCommit struct {
	Commit
}

// RestartReason is why a watch starts over, as the schema names it; one that this version does not know is a number.
type RestartReason string

// The reasons of Restarted.
const (
	// RestartFirst: the watch is new; or it broke before it was synced.
	RestartFirst RestartReason = "FIRST"
	// RestartLogTrimmed: the daemon's log no longer has what came after the position to go on from.
	RestartLogTrimmed RestartReason = "LOG_TRIMMED"
	// RestartOtherStore: the store is another, or the revision is not one of its own.
	RestartOtherStore RestartReason = "OTHER_STORE"
	// RestartLagged: the watch fell so far behind that the log no longer had its place.
	RestartLagged RestartReason = "LAGGED"
)

func (Restarted) isEvent() {}
func (Snapshot) isEvent()  {}
func (Synced) isEvent()    {}
func (Bookmark) isEvent()  {}
func (Commit) isEvent()    {}

// commit is what all commits have, and no other event.
func (c Commit) commit() Commit { return c }

func eventOf(response *pb.WatchResponse) (Event, error) {
	commit := Commit{
		Name: response.Name, Revision: response.Revision, PreviousRevision: response.PreviousRevision,
		Time: timeOf(response.Time),
	}
	switch event := response.Event.(type) {
	case *pb.WatchResponse_Restarted:
		name := event.Restarted.Reason.String()
		return Restarted{RestartReason(strings.TrimPrefix(name, "RESTART_REASON_"))}, nil
	case *pb.WatchResponse_Snapshot:
		session, err := sessionOf(event.Snapshot.Session)
		holder := holderOf(event.Snapshot.Holder)
		return Snapshot{Name: response.Name, Revision: response.Revision, Session: session, Holder: holder}, err
	case *pb.WatchResponse_Synced:
		return Synced{Revision: response.Revision, StoreID: event.Synced.StoreId}, nil
	case *pb.WatchResponse_Bookmark:
		return Bookmark{response.Revision}, nil
	case *pb.WatchResponse_Change:
		return Advanced{commit, changeOf(event.Change)}, nil
	case *pb.WatchResponse_Saved:
		session, err := sessionOf(event.Saved)
		return Saved{commit, session}, err
	case *pb.WatchResponse_Deleted:
		return Deleted{commit}, nil
	case *pb.WatchResponse_HoldChanged:
		changed := HoldChanged{Commit: commit, Holder: holderOf(event.HoldChanged.Holder)}
		if reason := event.HoldChanged.Reason; reason != pb.LostReason_LOST_REASON_UNSPECIFIED {
			changed.Reason = lostReasonOf(reason)
		}
		return changed, nil
	}
	if response.Name == "" { // not of a session, so it stands for what was told up to its revision
		return Bookmark{response.Revision}, nil
	}
	return OtherCommit{commit}, nil
}
