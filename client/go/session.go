package sessiond

// Session is everything a program needs to go on being logged in to Telegram. Whoever has it has the account.
//
// It is plain data. A pointer is nil where the value is absent, which is not the same as zero.
type Session struct {
	// DCs are the data centers known, at most 64, each id once. As it is read, by ascending id.
	DCs []DataCenter
	// User is who is logged in. Nil: nobody, or not known.
	User *User
	// State is which updates were seen. Nil: none were.
	State *UpdateState
	// HomeDC is the id of the home data center, for the time before anybody is logged in. It agrees with User.DC where both
	// stand. HomeDCID tells what absence means.
	HomeDC *int32
	// TestMode is whether the data centers are Telegram's test servers. Nil: not known, taken as production.
	TestMode *bool
}

// DataCenter is a data center and the key shared with it.
type DataCenter struct {
	// ID is positive: 1 to 5 in production; media and CDN data centers have ids of their own.
	ID int32
	// IPv4Addr is "ip:port".
	IPv4Addr *string
	// IPv6Addr is "ip:port" without brackets, as Telethon writes it; "[ip]:port" is taken too.
	IPv6Addr *string
	// Auth is the authorization key, as far as it is told: only to who holds the session.
	Auth AuthKey
	// HasAuth is whether the session has a key for this data center, told to everyone. With no key in Auth that key is
	// withheld: merged, it is kept, and Save refuses it. It does not matter where Auth has the key.
	HasAuth bool
}

// User is who is logged in.
type User struct {
	// ID is positive, and greater than 2^31 for recent accounts.
	ID int64
	// DC is the id of the user's home data center.
	DC int32
	// Bot is whether the user is a bot. Nil: not known, which is not the same as false.
	Bot *bool
	// Username is the primary one, without "@". Nil: none, or not known.
	Username *string
}

// UpdateState is which updates were seen. Zero: none was (https://core.telegram.org/api/updates).
type UpdateState struct {
	// Pts is the number of events seen in the common message box.
	Pts int32
	// Qts is the number of events seen in the secondary message box.
	Qts int32
	// Date is that of the latest update seen, in Unix seconds.
	Date int64
	// Seq is the number of the latest update container seen.
	Seq int32
	// Channels are the channels' own counters, at most 100,000, each id once. As it is read, by ascending id.
	Channels []ChannelState
}

// ChannelState is which updates of one channel were seen.
type ChannelState struct {
	// ID is the bare channel id, positive: not the marked form that begins with -100.
	ID int64
	// Pts is the number of events seen in the channel.
	Pts int32
}

// StateChange is a change of an update state: what it mentions is set, the rest stays.
type StateChange struct {
	// Pts, Qts, Date (in Unix seconds) and Seq are the new values. Nil: stays as it is.
	Pts  *int32
	Qts  *int32
	Date *int64
	Seq  *int32
	// Channels are set, each id once.
	Channels []ChannelState
	// RemovedChannels are the bare ids of channels to forget, none of them also in Channels.
	RemovedChannels []int64
}

// Clear is what MergeAfterClear forgets first.
type Clear struct {
	// AuthDCs are the ids of data centers whose keys are forgotten.
	AuthDCs []int32
	// AllAuth forgets every key.
	AllAuth bool
	// User forgets the user.
	User bool
	// State forgets the update state, channels included.
	State bool
	// Channels forgets the channels' states.
	Channels bool
}

// DC is the data center of this id, in s itself. Nil: s has none.
func (s *Session) DC(id int32) *DataCenter {
	for i := range s.DCs {
		if s.DCs[i].ID == id {
			return &s.DCs[i]
		}
	}
	return nil
}

// HomeDCID is the id of the home data center: HomeDC, else the user's, else 2, where every Telegram library begins.
func (s *Session) HomeDCID() int32 {
	switch {
	case s.HomeDC != nil:
		return *s.HomeDC
	case s.User != nil:
		return s.User.DC
	default:
		return 2
	}
}

// withheld is a data center whose key is there and was not told, if there is one.
func (s *Session) withheld() *DataCenter {
	if s == nil {
		return nil
	}
	for i := range s.DCs {
		if s.DCs[i].HasAuth && s.DCs[i].Auth.IsZero() {
			return &s.DCs[i]
		}
	}
	return nil
}
