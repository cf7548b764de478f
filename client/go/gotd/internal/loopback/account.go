package loopback

import (
	"github.com/gotd/td/tg"
)

// What the account is and whom it meets.
const (
	HomeDC      = 4
	UserID      = 868231286072
	Phone       = "+15550001"
	Code        = "12345"
	SenderID    = 77
	ChannelID   = 1_555_000_111
	channelHash = -5550001
	senderHash  = 7700077
	// DifferenceSize is how many messages a difference has at most.
	DifferenceSize = 50
	// began is the date of the first message, and by that of the account.
	began = 1_790_000_000
)

func message(id int) *tg.Message {
	m := &tg.Message{ID: id, PeerID: &tg.PeerUser{UserID: SenderID}, Date: began + id, Message: "a message"}
	m.SetFromID(&tg.PeerUser{UserID: SenderID})
	return m
}

func post(id int) *tg.Message {
	return &tg.Message{ID: id, Post: true, PeerID: &tg.PeerChannel{ChannelID: ChannelID}, Date: began + id, Message: "a post"}
}

// news is a message and a post, both the first of their numbers.
func (l layer) news(messages, posts int) *tg.Updates {
	return &tg.Updates{
		Updates: []tg.UpdateClass{
			&tg.UpdateNewMessage{Message: message(messages), Pts: messages, PtsCount: 1},
			&tg.UpdateNewChannelMessage{Message: post(posts), Pts: posts, PtsCount: 1},
		},
		Users: l.users(),
		Chats: l.chats(),
		Date:  began + messages,
	}
}

func (l layer) account() tg.UserClass {
	user := &tg.User{Self: true, ID: UserID}
	user.SetAccessHash(1)
	user.SetFirstName("Alice")
	return l.user(user)
}

func (l layer) users() []tg.UserClass {
	sender := &tg.User{ID: SenderID}
	sender.SetAccessHash(senderHash)
	sender.SetFirstName("Bob")
	return []tg.UserClass{l.user(sender)}
}

func (l layer) chats() []tg.ChatClass {
	channel := &tg.Channel{Broadcast: true, ID: ChannelID, Title: "News", Photo: &tg.ChatPhotoEmpty{}, Date: began}
	channel.SetAccessHash(channelHash)
	return []tg.ChatClass{l.channel(channel)}
}

func stateAt(messages int) tg.UpdatesState {
	return tg.UpdatesState{Pts: messages, Date: began + messages}
}
