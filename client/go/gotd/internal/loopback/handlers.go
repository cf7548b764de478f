package loopback

import (
	"fmt"
	"time"

	"github.com/gotd/td/bin"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"
	"github.com/gotd/td/tgtest"
)

var (
	errUnauthorized = tgerr.New(401, "AUTH_KEY_UNREGISTERED")
	errNoMethod     = tgerr.New(400, "INPUT_METHOD_INVALID")
)

// codeHash is what a code was sent with.
const codeHash = "of the code"

// handlers are those of one data center.
func (t *Telegram) handlers() *tgtest.Dispatcher {
	d := tgtest.NewDispatcher()
	d.HandleFunc(tg.HelpGetConfigRequestTypeID, t.config)
	d.HandleFunc(tg.AuthSendCodeRequestTypeID, t.sendCode)
	d.HandleFunc(tg.AuthSignInRequestTypeID, t.signIn)
	d.HandleFunc(tg.AuthLogOutRequestTypeID, t.authorized(t.logOut))
	d.HandleFunc(tg.UsersGetUsersRequestTypeID, t.authorized(t.self))
	d.HandleFunc(tg.UpdatesGetStateRequestTypeID, t.authorized(t.state))
	d.HandleFunc(tg.UpdatesGetDifferenceRequestTypeID, t.authorized(t.difference))
	d.HandleFunc(tg.UpdatesGetChannelDifferenceRequestTypeID, t.authorized(t.channelDifference))
	for _, id := range serviceMessages {
		d.HandleFunc(id, func(*tgtest.Server, *tgtest.Request) error { return nil })
	}
	return d.Fallback(tgtest.HandlerFunc(func(*tgtest.Server, *tgtest.Request) error { return errNoMethod }))
}

// authorized lets only those through that are logged in, and tells them of updates from then on.
func (t *Telegram) authorized(handle tgtest.HandlerFunc) tgtest.HandlerFunc {
	return func(server *tgtest.Server, request *tgtest.Request) error {
		t.mutex.Lock()
		is := t.loggedIn[request.Session.AuthKey.ID]
		if is {
			if t.online[request.Session.ID] == nil {
				t.online[request.Session.ID] = &online{server: server, session: request.Session, layer: t.layers[request.Session.ID]}
			}
		}
		t.mutex.Unlock()
		if !is {
			return errUnauthorized
		}
		return handle(server, request)
	}
}

func (t *Telegram) config(server *tgtest.Server, request *tgtest.Request) error {
	now := int(time.Now().Unix())
	return server.SendResult(request, &tg.Config{
		Date: now, Expires: now + 3600, ThisDC: request.DC, DCOptions: t.options,
	})
}

func (t *Telegram) sendCode(server *tgtest.Server, request *tgtest.Request) error {
	if request.DC != HomeDC {
		return tgerr.New(303, fmt.Sprintf("PHONE_MIGRATE_%d", HomeDC))
	}
	return server.SendResult(request, &tg.AuthSentCode{
		Type: &tg.AuthSentCodeTypeApp{Length: len(Code)}, PhoneCodeHash: codeHash,
	})
}

func (t *Telegram) signIn(server *tgtest.Server, request *tgtest.Request) error {
	var asked tg.AuthSignInRequest
	if err := asked.Decode(request.Buf); err != nil {
		return err
	}
	if asked.PhoneCode != Code || asked.PhoneCodeHash != codeHash {
		return tgerr.New(400, "PHONE_CODE_INVALID")
	}
	t.mutex.Lock()
	t.loggedIn[request.Session.AuthKey.ID] = true
	t.mutex.Unlock()
	return server.SendResult(request, &tg.AuthAuthorization{User: t.layerOf(request).account()})
}

func (t *Telegram) logOut(server *tgtest.Server, request *tgtest.Request) error {
	t.mutex.Lock()
	delete(t.loggedIn, request.Session.AuthKey.ID)
	t.mutex.Unlock()
	return server.SendResult(request, &tg.AuthLoggedOut{})
}

func (t *Telegram) self(server *tgtest.Server, request *tgtest.Request) error {
	return server.SendVector(request, t.layerOf(request).account())
}

func (t *Telegram) state(server *tgtest.Server, request *tgtest.Request) error {
	t.mutex.Lock()
	state := stateAt(t.messages)
	t.mutex.Unlock()
	return server.SendResult(request, &state)
}

func (t *Telegram) difference(server *tgtest.Server, request *tgtest.Request) error {
	var asked tg.UpdatesGetDifferenceRequest
	if err := asked.Decode(request.Buf); err != nil {
		return err
	}
	t.mutex.Lock()
	if client := t.online[request.Session.ID]; client != nil && !client.begun {
		client.begun = true
		t.begun = append(t.begun, asked.Pts)
	}
	last := t.messages
	t.mutex.Unlock()
	end := min(last, asked.Pts+DifferenceSize)
	var missed []tg.MessageClass
	for id := asked.Pts + 1; id <= end; id++ {
		missed = append(missed, message(id))
	}
	var answer bin.Encoder
	switch {
	case len(missed) == 0:
		answer = &tg.UpdatesDifferenceEmpty{Date: began + last}
	case end < last:
		answer = &tg.UpdatesDifferenceSlice{NewMessages: missed, Users: t.layerOf(request).users(), IntermediateState: stateAt(end)}
	default:
		answer = &tg.UpdatesDifference{NewMessages: missed, Users: t.layerOf(request).users(), State: stateAt(end)}
	}
	return server.SendResult(request, answer)
}

func (t *Telegram) channelDifference(server *tgtest.Server, request *tgtest.Request) error {
	var asked tg.UpdatesGetChannelDifferenceRequest
	if err := asked.Decode(request.Buf); err != nil {
		return err
	}
	channel, is := asked.Channel.(*tg.InputChannel)
	if !is || channel.ChannelID != ChannelID || channel.AccessHash != channelHash {
		return tgerr.New(400, "CHANNEL_INVALID")
	}
	t.mutex.Lock()
	last := t.posts
	t.mutex.Unlock()
	end := min(last, asked.Pts+DifferenceSize)
	if end <= asked.Pts {
		return server.SendResult(request, &tg.UpdatesChannelDifferenceEmpty{Final: true, Pts: last})
	}
	missed := &tg.UpdatesChannelDifference{Final: end == last, Pts: end, Chats: t.layerOf(request).chats()}
	for id := asked.Pts + 1; id <= end; id++ {
		missed.NewMessages = append(missed.NewMessages, post(id))
	}
	return server.SendResult(request, missed)
}
