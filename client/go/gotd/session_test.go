package gotd_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/gotd/td/crypto"
	"github.com/gotd/td/session"
	"github.com/gotd/td/tg"

	sessiond "sessiond.invalid/client/go"
	"sessiond.invalid/client/go/gotd"
)

// data is what gotd stores after it has connected to a data center with a key.
func data(dc int, key byte) *session.Data {
	auth := crypto.Key(bytes.Repeat([]byte{key}, sessiond.AuthKeySize)).WithID()
	return &session.Data{
		DC: dc, AuthKey: auth.Value[:], AuthKeyID: auth.ID[:], Salt: -7,
		Config: session.Config{
			ThisDC: dc, Date: 1_790_000_000, WebfileDCID: 4,
			DCOptions: []tg.DCOption{
				{ID: 2, IPAddress: "149.154.167.222", Port: 443, MediaOnly: true},
				{ID: 2, IPAddress: "149.154.167.50", Port: 443},
				{ID: 2, IPAddress: "149.154.167.51", Port: 443, Static: true},
				{ID: 2, IPAddress: "2001:67c:4e8:f002::a", Port: 443, Ipv6: true},
				{ID: 4, IPAddress: "149.154.167.91", Port: 443},
				{ID: 203, IPAddress: "91.105.192.100", Port: 443, CDN: true},
			},
		},
	}
}

func authKey(t *testing.T, key byte) sessiond.AuthKey {
	return ok(sessiond.NewAuthKey(bytes.Repeat([]byte{key}, sessiond.AuthKeySize)))(t)
}

func TestASessionComesBackAsGotdStoredIt(t *testing.T) {
	daemon := startDaemon(t)
	ctx := within(t)
	hold := ok(daemon.connect(t).Hold(ctx, "alice"))(t)
	alice := gotd.New(hold)
	loader := session.Loader{Storage: alice}
	if _, err := loader.Load(ctx); !errors.Is(err, session.ErrNotFound) {
		t.Fatalf("a new session: %v", err)
	}
	succeeds(t, loader.Save(ctx, data(2, 1)))
	stored := ok(hold.Load(ctx))(t)
	want := &sessiond.Session{
		DCs: []sessiond.DataCenter{
			{
				ID: 2, IPv4Addr: new("149.154.167.50:443"), IPv6Addr: new("2001:67c:4e8:f002::a:443"),
				Auth: authKey(t, 1), HasAuth: true,
			},
			{ID: 4, IPv4Addr: new("149.154.167.91:443")},
		},
		HomeDC: new(int32(2)), TestMode: new(false),
	}
	if !reflect.DeepEqual(stored.Session, want) {
		t.Errorf("stored: %+v", stored.Session)
	}

	succeeds(t, loader.Save(ctx, data(2, 1)))
	if again := ok(hold.Load(ctx))(t); again.Revision != stored.Revision {
		t.Error("the same again is a commit")
	}
	succeeds(t, alice.Release(ctx))
	next := gotd.New(ok(daemon.connect(t).Hold(ctx, "alice"))(t))
	if read := ok((&session.Loader{Storage: next}).Load(ctx))(t); !reflect.DeepEqual(read, data(2, 1)) {
		t.Errorf("read: %+v", read.Config)
	}
}

func TestAKeyIsStoredAlthoughTheProgramEnds(t *testing.T) {
	hold := ok(startDaemon(t).connect(t).Hold(within(t), "alice"))(t)
	loader := session.Loader{Storage: gotd.New(hold)}
	ended, end := context.WithCancel(t.Context())
	end()
	succeeds(t, loader.Save(ended, data(2, 1)))
	if read := ok(loader.Load(ended))(t); read.AuthKey[0] != 1 {
		t.Error("another key was read")
	}
}

func TestOtherDataCentersAreNotForgotten(t *testing.T) {
	ctx := within(t)
	hold := ok(startDaemon(t).connect(t).Hold(ctx, "alice"))(t)
	ok(hold.Merge(ctx, &sessiond.Session{
		DCs: []sessiond.DataCenter{
			{ID: 1, IPv4Addr: new("149.154.175.53:443"), Auth: authKey(t, 1)},
			{ID: 2, IPv4Addr: new("149.154.167.51:443"), Auth: authKey(t, 2)},
		},
		User: &sessiond.User{ID: 7, DC: 2},
	}))(t)
	loader := session.Loader{Storage: gotd.New(hold)}
	succeeds(t, loader.Save(ctx, data(4, 4)))

	moved := ok(hold.Load(ctx))(t).Session
	for id, key := range map[int32]byte{1: 1, 2: 2, 4: 4} {
		if !moved.DC(id).Auth.Equal(authKey(t, key)) {
			t.Errorf("data center %d has another key", id)
		}
	}
	if moved.HomeDCID() != 4 || moved.User.DC != 4 {
		t.Errorf("home: %d, the user's: %d", moved.HomeDCID(), moved.User.DC)
	}
	if address := *moved.DC(2).IPv4Addr; address != "149.154.167.51:443" {
		t.Errorf("an address that Telegram still names was changed to %s", address)
	}
	if read := ok(loader.Load(ctx))(t); read.DC != 4 || read.AuthKey[0] != 4 {
		t.Errorf("read: data center %d", read.DC)
	}
}

func TestASessionOfAnotherLibraryIsReadByItsKey(t *testing.T) {
	ctx := within(t)
	client := startDaemon(t).connect(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	ok(hold.Merge(ctx, &sessiond.Session{
		DCs:  []sessiond.DataCenter{{ID: 5, Auth: authKey(t, 5)}},
		User: &sessiond.User{ID: 7, DC: 5}, TestMode: new(true),
	}))(t)
	read := ok((&session.Loader{Storage: gotd.New(hold, gotd.RequireLogin())}).Load(ctx))(t)
	id := crypto.Key(read.AuthKey).ID()
	if read.DC != 5 || !bytes.Equal(read.AuthKeyID, id[:]) || !read.Config.TestMode {
		t.Errorf("read: %+v", read.Config)
	}
}

func TestWhereLoginIsRequiredASessionWithoutAKeyIsAnError(t *testing.T) {
	ctx := within(t)
	hold := ok(startDaemon(t).connect(t).Hold(ctx, "alice"))(t)
	storage := gotd.New(hold, gotd.RequireLogin())
	if _, err := storage.LoadSession(ctx); !errors.Is(err, gotd.ErrLoggedOut) || errors.Is(err, session.ErrNotFound) {
		t.Errorf("nobody is logged in: %v", err)
	}
}

func TestADeletedSessionIsNotFound(t *testing.T) {
	ctx := within(t)
	client := startDaemon(t).connect(t)
	hold := ok(client.Hold(ctx, "alice"))(t)
	alice := gotd.New(hold)
	loader := session.Loader{Storage: alice}
	succeeds(t, loader.Save(ctx, data(2, 1)))
	states := alice.Updates()
	succeeds(t, states.SetState(ctx, 7, state(100)))
	succeeds(t, states.SetUserAccessHash(ctx, 7, 8, 80))
	succeeds(t, states.SetPts(ctx, 7, 101)) // on its way, or not yet

	succeeds(t, alice.Delete(ctx))
	if _, err := loader.Load(ctx); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("read: %v", err)
	}
	if err := states.SetPts(ctx, 7, 102); err == nil {
		t.Error("a counter of a session that was deleted")
	}
	succeeds(t, alice.Flush(ctx))
	if left := ok(hold.Load(ctx))(t).Session; left != nil {
		t.Errorf("left: %+v", left)
	}
	if peers := ok(hold.Peers(ctx, sessiond.PeerID(8)))(t); peers[0] != nil {
		t.Error("an access hash is left")
	}
	succeeds(t, states.SetState(ctx, 9, state(1))) // another account logs in
}
