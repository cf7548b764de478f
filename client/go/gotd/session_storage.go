package gotd

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/session"

	sessiond "sessiond.invalid/client/go"
)

// What of gotd's data has no field in a session: attributes, as docs/attributes.md has them.
const (
	configKey = "gotd.config"
	saltKey   = "gotd.salt"
)

var _ session.Storage = (*Session)(nil)

// LoadSession gives gotd's data of the home data center. session.ErrNotFound says that there is no key of it, so that gotd
// logs in; with RequireLogin it is ErrLoggedOut.
//
// Like StoreSession it goes on when its context ends, as gotd's own files do: a program may return from Run as soon as it has
// logged in, and the key is stored in the midst of that.
func (s *Session) LoadSession(ctx context.Context) ([]byte, error) {
	ctx = context.WithoutCancel(ctx)
	loaded, err := s.hold.Load(ctx)
	if err != nil {
		return nil, err
	}
	key := keyOf(loaded.Session)
	if key.IsZero() {
		if s.requireLogin {
			return nil, fmt.Errorf("session %q: %w", s.hold.Name(), ErrLoggedOut)
		}
		return nil, session.ErrNotFound
	}
	attributes, err := s.hold.Attributes(ctx, configKey, saltKey)
	if err != nil {
		return nil, err
	}
	data, err := dataOf(loaded.Session, key, attributes)
	if err != nil {
		return nil, err
	}
	return encode(ctx, data)
}

// StoreSession stores gotd's data, durably: the key and the addresses beside those that are known of other data centers.
func (s *Session) StoreSession(ctx context.Context, encoded []byte) error {
	ctx = context.WithoutCancel(ctx)
	data, err := decode(ctx, encoded)
	if err != nil {
		return err
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	loaded, err := s.hold.Load(ctx)
	if err != nil {
		return err
	}
	config, err := json.Marshal(data.Config)
	if err != nil {
		return err
	}
	salt := binary.LittleEndian.AppendUint64(nil, uint64(data.Salt))
	attributes := []sessiond.Attribute{{Key: configKey, Value: config}, {Key: saltKey, Value: salt}}
	if _, err := s.hold.PutAttributes(ctx, attributes); err != nil {
		return err
	}
	news, err := newsOf(data, loaded.Session)
	if err != nil || news == nil {
		return err
	}
	_, err = s.hold.Merge(ctx, news)
	return err
}

func keyOf(held *sessiond.Session) sessiond.AuthKey {
	if held == nil {
		return sessiond.AuthKey{}
	}
	if dc := held.DC(held.HomeDCID()); dc != nil {
		return dc.Auth
	}
	return sessiond.AuthKey{}
}

// dataOf is gotd's data of a session with a key. Of the configuration, which gotd asks for anew whenever it connects, it is
// what the session has where gotd has stored none yet.
func dataOf(held *sessiond.Session, key sessiond.AuthKey, attributes []sessiond.Attribute) (*session.Data, error) {
	home := int(held.HomeDCID())
	data := &session.Data{DC: home, Config: session.Config{ThisDC: home}}
	if held.TestMode != nil {
		data.Config.TestMode = *held.TestMode
	}
	for _, attribute := range attributes {
		switch {
		case attribute.Key == configKey:
			if err := json.Unmarshal(attribute.Value, &data.Config); err != nil {
				return nil, fmt.Errorf("attribute %s: %w", configKey, err)
			}
		case attribute.Key == saltKey && len(attribute.Value) == 8:
			data.Salt = int64(binary.LittleEndian.Uint64(attribute.Value))
		}
	}
	auth := crypto.Key(key.Expose()).WithID()
	data.AuthKey, data.AuthKeyID = auth.Value[:], auth.ID[:]
	return data, nil
}

// newsOf is what a session does not have yet of gotd's data. Nil: it has all of it.
func newsOf(data *session.Data, held *sessiond.Session) (*sessiond.Session, error) {
	key, err := sessiond.NewAuthKey(data.AuthKey)
	if err != nil {
		return nil, err
	}
	if held == nil {
		held = new(sessiond.Session)
	}
	home := int32(data.DC)
	if home == 0 {
		home = held.HomeDCID()
	}
	news := &sessiond.Session{HomeDC: &home, TestMode: &data.Config.TestMode, DCs: addressNews(data.Config.DCOptions, held)}
	if known := held.DC(home); known == nil || !known.Auth.Equal(key) {
		at := slices.IndexFunc(news.DCs, func(dc sessiond.DataCenter) bool { return dc.ID == home })
		if at < 0 {
			at, news.DCs = len(news.DCs), append(news.DCs, sessiond.DataCenter{ID: home})
		}
		news.DCs[at].Auth = key
	}
	sameMode := held.TestMode != nil && *held.TestMode == *news.TestMode
	if len(news.DCs) == 0 && held.HomeDCID() == home && (held.HomeDC != nil || held.User != nil) && sameMode {
		return nil, nil
	}
	return news, nil
}

// encode and decode leave gotd's format to gotd.
func encode(ctx context.Context, data *session.Data) ([]byte, error) {
	var memory session.StorageMemory
	if err := (&session.Loader{Storage: &memory}).Save(ctx, data); err != nil {
		return nil, err
	}
	return memory.Bytes(nil)
}

func decode(ctx context.Context, encoded []byte) (*session.Data, error) {
	var memory session.StorageMemory
	if err := memory.StoreSession(ctx, encoded); err != nil {
		return nil, err
	}
	return (&session.Loader{Storage: &memory}).Load(ctx)
}
