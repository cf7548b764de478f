// Package loopback is Telegram's side of the protocol on the loopback interface, for tests: gotd's own test server, with the
// handlers of an account that has a private chat and a channel, and with an eye on who connects by which key.
package loopback

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"sync"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgtest"
	"github.com/gotd/td/transport"
	"golang.org/x/sync/errgroup"
)

// What the account is and whom it meets.
const (
	HomeDC      = 4
	UserID      = 868231286072
	SenderID    = 77
	ChannelID   = 1_555_000_111
	channelHash = -5550001
	senderHash  = 7700077
	// DifferenceSize is how many messages a difference has at most.
	DifferenceSize = 50
	// began is the date of the first message, and by that of the account.
	began = 1_790_000_000
)

// Telegram has two data centers. DC 2, where every library begins, sends the account to DC 4, its home.
type Telegram struct {
	// Connections tells who connected.
	Connections *Connections
	keys        []*rsa.PublicKey
	options     []tg.DCOption

	mutex sync.Mutex
	// loggedIn has the ids of the keys that the account is logged in by.
	loggedIn map[[8]byte]bool
	// online are the sessions of the protocol that are told of updates.
	online map[int64]*online
	// messages and posts are how many were sent to the chat and to the channel: the pts of the account and of the channel.
	messages, posts int
	// asked are the pts that the account's differences were asked for after.
	asked []int
}

type online struct {
	server  *tgtest.Server
	session tgtest.Session
}

// Serve serves until the context ends; stop ends that, and returns once nothing is served any more.
func Serve(ctx context.Context) (telegram *Telegram, stop func() error, err error) {
	t := &Telegram{
		Connections: newConnections(),
		loggedIn:    make(map[[8]byte]bool),
		online:      make(map[int64]*online),
	}
	ctx, cancel := context.WithCancel(ctx)
	serving, ctx := errgroup.WithContext(ctx)
	var listeners []net.Listener
	for _, dc := range []int{2, HomeDC} {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			cancel()
			return nil, nil, err
		}
		address := listener.Addr().(*net.TCPAddr)
		t.options = append(t.options, tg.DCOption{ID: dc, IPAddress: address.IP.String(), Port: address.Port, Static: true})
		listeners = append(listeners, t.Connections.counted(listener))
	}
	for i, listener := range listeners {
		key, err := rsa.GenerateKey(rand.Reader, crypto.RSAKeyBits)
		if err != nil {
			cancel()
			return nil, nil, err
		}
		options := tgtest.ServerOptions{DC: t.options[i].ID}
		server := tgtest.NewServer(tgtest.NewPrivateKey(key), tgtest.UnpackInvoke(t.handlers()), options)
		t.keys = append(t.keys, &key.PublicKey)
		serving.Go(func() error { return server.Serve(ctx, transport.Listen(listener)) })
	}
	return t, func() error {
		cancel()
		if err := serving.Wait(); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}, nil
}

// Keys are the public keys of its data centers.
func (t *Telegram) Keys() []*rsa.PublicKey { return t.keys }

// Options are the addresses of its data centers.
func (t *Telegram) Options() []tg.DCOption { return t.options }

// Send sends one message to the private chat, and one to the channel.
func (t *Telegram) Send(ctx context.Context) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.messages++
	t.posts++
	news := &tg.Updates{
		Updates: []tg.UpdateClass{
			&tg.UpdateNewMessage{Message: message(t.messages), Pts: t.messages, PtsCount: 1},
			&tg.UpdateNewChannelMessage{Message: post(t.posts), Pts: t.posts, PtsCount: 1},
		},
		Users: users(),
		Chats: chats(),
		Date:  began + t.messages,
	}
	for id, online := range t.online {
		if online.server.Send(ctx, online.session, proto.MessageFromServer, news) != nil {
			delete(t.online, id) // its connection is closed
		}
	}
}

// Sent is how many messages were sent to each of both.
func (t *Telegram) Sent() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.messages
}

// Asked are the pts that the account's differences were asked for after, in order.
func (t *Telegram) Asked() []int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return append([]int(nil), t.asked...)
}

// LoggedIn is by how many keys the account is logged in.
func (t *Telegram) LoggedIn() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.loggedIn)
}

func message(id int) *tg.Message {
	m := &tg.Message{ID: id, PeerID: &tg.PeerUser{UserID: SenderID}, Date: began + id, Message: "a message"}
	m.SetFromID(&tg.PeerUser{UserID: SenderID})
	return m
}

func post(id int) *tg.Message {
	return &tg.Message{ID: id, Post: true, PeerID: &tg.PeerChannel{ChannelID: ChannelID}, Date: began + id, Message: "a post"}
}

func account() *tg.User {
	user := &tg.User{Self: true, Bot: true, ID: UserID}
	user.SetAccessHash(1)
	user.SetFirstName("Alice")
	user.SetBotInfoVersion(1)
	return user
}

func users() []tg.UserClass {
	sender := &tg.User{ID: SenderID}
	sender.SetAccessHash(senderHash)
	sender.SetFirstName("Bob")
	return []tg.UserClass{sender}
}

func chats() []tg.ChatClass {
	channel := &tg.Channel{Broadcast: true, ID: ChannelID, Title: "News", Photo: &tg.ChatPhotoEmpty{}, Date: began}
	channel.SetAccessHash(channelHash)
	return []tg.ChatClass{channel}
}

// serviceMessages are those of the protocol that want no answer.
var serviceMessages = []uint32{mt.MsgsAckTypeID, mt.HTTPWaitRequestTypeID, mt.DestroySessionRequestTypeID}
