package loopback

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/mt"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgtest"
)

// layer is the version of Telegram's schema that a client has said it speaks. gotd's own is tg.Layer.
type layer int

// A user and a channel are other constructors in the layers that came after gotd's. They have one more optional field each,
// of which this account has none, so that all else is as gotd writes it.
const (
	nextUserTypeID    = 0xb1b8cc83
	nextChannelTypeID = 0xd49f34c6
)

type (
	nextUser    struct{ *tg.User }
	nextChannel struct{ *tg.Channel }
)

func (u nextUser) Encode(b *bin.Buffer) error { return encodeAs(nextUserTypeID, u.User, b) }

func (c nextChannel) Encode(b *bin.Buffer) error { return encodeAs(nextChannelTypeID, c.Channel, b) }

func encodeAs(id uint32, object bin.Encoder, b *bin.Buffer) error {
	at := b.Len()
	if err := object.Encode(b); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b.Buf[at:], id)
	return nil
}

func (l layer) user(user *tg.User) tg.UserClass {
	if l > tg.Layer {
		return nextUser{user}
	}
	return user
}

func (l layer) channel(channel *tg.Channel) tg.ChatClass {
	if l > tg.Layer {
		return nextChannel{channel}
	}
	return channel
}

// layered takes note of the layer that a client says it speaks, with the first of its requests.
func (t *Telegram) layered(next tgtest.Handler) tgtest.Handler {
	return tgtest.HandlerFunc(func(server *tgtest.Server, request *tgtest.Request) error {
		ahead := bin.Buffer{Buf: request.Buf.Buf}
		if id, err := ahead.ID(); err == nil && id == tg.InvokeWithLayerRequestTypeID {
			said, err := ahead.Int()
			if err != nil {
				return err
			}
			t.mutex.Lock()
			t.layers[request.Session.ID] = layer(said)
			t.mutex.Unlock()
			if err := sendSalts(server, request); err != nil {
				return err
			}
		}
		return next.OnMessage(server, request)
	})
}

// layerOf is 0 for a client that has said nothing.
func (t *Telegram) layerOf(request *tgtest.Request) layer {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.layers[request.Session.ID]
}

// sendSalts tells a client of two salts, unasked. tgtest answers whoever asks for salts with one, and grammers asks again, and
// for nothing else, until it has two.
func sendSalts(server *tgtest.Server, request *tgtest.Request) error {
	unasked := *request
	unasked.MsgID = 0
	tomorrow := int(time.Now().Add(24 * time.Hour).Unix())
	return server.SendFutureSalts(&unasked,
		mt.FutureSalt{ValidSince: 1, ValidUntil: math.MaxInt32, Salt: 10},
		mt.FutureSalt{ValidSince: tomorrow, ValidUntil: math.MaxInt32, Salt: 11})
}
