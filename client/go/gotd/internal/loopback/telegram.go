// Package loopback is Telegram's side of the protocol on the loopback interface, for tests: gotd's own test server, with the
// handlers of an account that has a private chat and a channel, and with an eye on who connects by which key.
package loopback

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net"
	"slices"
	"sync"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/proto"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgtest"
	"github.com/gotd/td/transport"
	"golang.org/x/sync/errgroup"
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
	// layers are what the sessions of the protocol have said they speak.
	layers map[int64]layer
	// online are those that are told of updates.
	online map[int64]*online
	// messages and posts are how many were sent to the chat and to the channel: the pts of the account and of the channel.
	messages, posts int
	// begun are the pts that those began after, with the first difference that each asked for.
	begun []int
}

type online struct {
	server  *tgtest.Server
	session tgtest.Session
	layer   layer
	// begun is whether it has asked for a difference.
	begun bool
}

// Serve serves until the context ends; stop ends that, and returns once nothing is served any more.
func Serve(ctx context.Context) (telegram *Telegram, stop func() error, err error) {
	t := &Telegram{
		Connections: newConnections(),
		loggedIn:    make(map[[8]byte]bool),
		layers:      make(map[int64]layer),
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
		key, err := newKey()
		if err != nil {
			cancel()
			return nil, nil, err
		}
		options := tgtest.ServerOptions{DC: t.options[i].ID}
		server := tgtest.NewServer(tgtest.NewPrivateKey(key), t.layered(tgtest.UnpackInvoke(t.handlers())), options)
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

// newKey makes a data center's key. mtcute looks a key up by its fingerprint in hexadecimal, and does not find one that begins
// with a zero.
func newKey() (*rsa.PrivateKey, error) {
	for {
		key, err := rsa.GenerateKey(rand.Reader, crypto.RSAKeyBits)
		if err != nil || uint64(crypto.RSAFingerprint(&key.PublicKey))>>60 != 0 {
			return key, err
		}
	}
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
	for id, online := range t.online {
		if online.server.Send(ctx, online.session, proto.MessageFromServer, online.layer.news(t.messages, t.posts)) != nil {
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

// Begun are the pts that clients began after, in order: of each, what the first difference was asked for that it got.
func (t *Telegram) Begun() []int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return slices.Clone(t.begun)
}

// LoggedIn is by how many keys the account is logged in.
func (t *Telegram) LoggedIn() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.loggedIn)
}

// serviceMessages are those of the protocol that want no answer.
var serviceMessages = []uint32{mt.MsgsAckTypeID, mt.HTTPWaitRequestTypeID, mt.DestroySessionRequestTypeID}
