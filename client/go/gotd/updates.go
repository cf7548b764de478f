package gotd

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gotd/td/telegram/updates"

	sessiond "sessiond.invalid/client/go"
)

// Updates is the update states and access hashes of one session, or of several: for all three storages of updates.Config.
//
// Setting one does not wait for the daemon. One that is away is waited for, and nothing is lost meanwhile but by the end of
// the process; once it does not answer for as long as the client's deadline, setting one is an error, which gotd logs, and the
// states are kept and tried again nevertheless. A hold that is lost is an error at once.
//
// A session is one user's. It is an error, which names both, to ask it for another's; where nobody is known to be logged in
// yet, GetState and SetState store the user that they are called for.
type Updates struct {
	sessions func(userID int64) (*Session, error)
}

var (
	_ updates.StateStorage        = Updates{}
	_ updates.ChannelAccessHasher = Updates{}
	_ updates.UserAccessHasher    = Updates{}
)

var errNoState = errors.New("the session has no update state")

// Updates is the storage of this session's user.
func (s *Session) Updates() Updates {
	return Updates{func(int64) (*Session, error) { return s, nil }}
}

// Route is one storage for the users of several sessions. It asks for a user's session at every call.
func Route(sessions func(userID int64) (*Session, error)) Updates { return Updates{sessions} }

// GetState gives the counters. Not found: no updates were seen yet.
func (u Updates) GetState(ctx context.Context, userID int64) (updates.State, bool, error) {
	records, err := u.begin(ctx, userID)
	if err != nil {
		return updates.State{}, false, err
	}
	state, found := records.counters()
	return state, found, nil
}

// SetState sets the counters. The channels' stay.
func (u Updates) SetState(ctx context.Context, userID int64, state updates.State) error {
	records, err := u.begin(ctx, userID)
	if err != nil {
		return err
	}
	change, err := changeTo(&state.Pts, &state.Qts, &state.Date, &state.Seq)
	if err != nil {
		return err
	}
	return records.begin(change)
}

// SetPts sets the counter of the common message box.
func (u Updates) SetPts(_ context.Context, userID int64, pts int) error {
	return u.advance(userID, &pts, nil, nil, nil)
}

// SetQts sets the counter of the secondary message box.
func (u Updates) SetQts(_ context.Context, userID int64, qts int) error {
	return u.advance(userID, nil, &qts, nil, nil)
}

// SetDate sets the date of the latest update, in Unix seconds.
func (u Updates) SetDate(_ context.Context, userID int64, date int) error {
	return u.advance(userID, nil, nil, &date, nil)
}

// SetSeq sets the number of the latest container of updates.
func (u Updates) SetSeq(_ context.Context, userID int64, seq int) error {
	return u.advance(userID, nil, nil, nil, &seq)
}

// SetDateSeq sets both, in one commit.
func (u Updates) SetDateSeq(_ context.Context, userID int64, date, seq int) error {
	return u.advance(userID, nil, nil, &date, &seq)
}

// GetChannelPts gives the counter of a channel, by its bare id.
func (u Updates) GetChannelPts(_ context.Context, userID, channelID int64) (int, bool, error) {
	records, err := u.of(userID)
	if err != nil {
		return 0, false, err
	}
	pts, found := records.channel(channelID)
	return pts, found, nil
}

// SetChannelPts sets it.
func (u Updates) SetChannelPts(_ context.Context, userID, channelID int64, pts int) error {
	records, err := u.of(userID)
	if err != nil {
		return err
	}
	known, err := counter("pts", &pts)
	if err := errors.Join(err, bare(channelID)); err != nil {
		return err
	}
	return records.advance(sessiond.StateChange{Channels: []sessiond.ChannelState{{ID: channelID, Pts: *known}}})
}

// ForEachChannels gives every channel's counter, as they are when it is called.
func (u Updates) ForEachChannels(
	ctx context.Context, userID int64, each func(ctx context.Context, channelID int64, pts int) error,
) error {
	records, err := u.of(userID)
	if err != nil {
		return err
	}
	for id, pts := range records.allChannels() {
		if err := each(ctx, id, int(pts)); err != nil {
			return err
		}
	}
	return nil
}

// SetChannelAccessHash sets the access hash of a channel, by its bare id.
func (u Updates) SetChannelAccessHash(_ context.Context, userID, channelID, accessHash int64) error {
	if err := bare(channelID); err != nil {
		return err
	}
	return u.setHash(userID, sessiond.ChannelID(channelID), accessHash)
}

// GetChannelAccessHash gives it.
func (u Updates) GetChannelAccessHash(ctx context.Context, userID, channelID int64) (int64, bool, error) {
	return u.hash(ctx, userID, sessiond.ChannelID(channelID))
}

// SetUserAccessHash sets the access hash of a user.
func (u Updates) SetUserAccessHash(_ context.Context, userID, targetUserID, accessHash int64) error {
	if err := bare(targetUserID); err != nil {
		return err
	}
	return u.setHash(userID, targetUserID, accessHash)
}

// GetUserAccessHash gives it.
func (u Updates) GetUserAccessHash(ctx context.Context, userID, targetUserID int64) (int64, bool, error) {
	return u.hash(ctx, userID, targetUserID)
}

// begin is what gotd begins with, when it knows who is logged in.
func (u Updates) begin(ctx context.Context, userID int64) (*records, error) {
	session, err := u.sessions(userID)
	if err != nil {
		return nil, err
	}
	return session.records, session.logIn(ctx, userID)
}

func (u Updates) of(userID int64) (*records, error) {
	session, err := u.sessions(userID)
	if err != nil {
		return nil, err
	}
	return session.records, session.belongsTo(userID)
}

func (u Updates) advance(userID int64, pts, qts, date, seq *int) error {
	records, err := u.of(userID)
	if err != nil {
		return err
	}
	change, err := changeTo(pts, qts, date, seq)
	if err != nil {
		return err
	}
	return records.advance(change)
}

// changeTo is a change to what is not nil.
func changeTo(pts, qts, date, seq *int) (change sessiond.StateChange, err error) {
	var noPts, noQts, noDate, noSeq error
	change.Pts, noPts = counter("pts", pts)
	change.Qts, noQts = counter("qts", qts)
	change.Seq, noSeq = counter("seq", seq)
	if date != nil {
		_, noDate = counter("date", date)
		change.Date = new(int64(*date))
	}
	return change, errors.Join(noPts, noQts, noDate, noSeq)
}

// counter is a value of the protocol. One that is none is an error here already, as is an id in bare, since the daemon would
// refuse it with all that is set after it.
func counter(name string, value *int) (*int32, error) {
	if value == nil {
		return nil, nil
	}
	if *value < 0 || *value > math.MaxInt32 {
		return nil, fmt.Errorf("%s is %d, which is not in 0..2^31-1", name, *value)
	}
	return new(int32(*value)), nil
}

// bare is an error unless an id is one as Telegram's schema has it.
func bare(id int64) error {
	if id <= 0 {
		return fmt.Errorf("%d is no id of a user or channel", id)
	}
	return nil
}

func (u Updates) setHash(userID, markedID, accessHash int64) error {
	records, err := u.of(userID)
	if err != nil {
		return err
	}
	return records.setHash(markedID, accessHash)
}

func (u Updates) hash(ctx context.Context, userID, markedID int64) (int64, bool, error) {
	records, err := u.of(userID)
	if err != nil {
		return 0, false, err
	}
	return records.hash(ctx, markedID)
}
