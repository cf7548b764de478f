package sessiond_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	sessiond "sessiond.invalid/client/go"
	pb "sessiond.invalid/client/go/sessiondpb"
)

// secret is in every secret of these tests: as text, and as the numbers and digits that it may be printed as.
const secret = "qqqq"

var traces = []string{secret, "71717171", "113 113", "113, 113", "0x71, 0x71", "cXFxc", "7171 7171", "171717", "171,717"}

// inHand has secrets where package fmt may not ask them how they are printed.
type inHand struct {
	key     sessiond.AuthKey
	token   *sessiond.Token
	session *sessiond.Session
	held    *sessiond.Held
	hold    *sessiond.Hold
	peerKey sessiond.PeerKey
}

func TestNothingSecretIsPrinted(t *testing.T) {
	text := bytes.Repeat([]byte(secret), 64)
	granted := &pb.Granted{Token: text[:sessiond.TokenSize], Fence: 1}
	hold := ok((&fake{granted: granted}).serve(t).Hold(t.Context(), "alice"))(t)
	key := ok(sessiond.NewAuthKey(text))(t)
	token := hold.Token()
	session := &sessiond.Session{DCs: []sessiond.DataCenter{{ID: 2, Auth: key}}}
	peer := sessiond.Peer{
		ID: 5, AccessHash: new(int64(171717)), Usernames: []string{secret}, Phone: new("171717"), Name: new(secret),
		Extra: map[string][]byte{"lib.x": []byte(secret)},
	}
	attribute := sessiond.Attribute{Key: "lib.x", Value: text, Secret: true}
	peerKey := sessiond.PeerUsername(secret)
	values := []any{
		key, &key, token, &token, session, *session, hold, hold.Held, peer, &peer, []sessiond.Peer{peer}, attribute,
		[]sessiond.Attribute{attribute}, peerKey, sessiond.PeerPhone("171717"), sessiond.PeerName(secret),
		map[string]any{"key": key}, inHand{key, &token, session, hold.Held, hold, peerKey}, []*sessiond.Peer{&peer}, &attribute,
	}
	for _, value := range values {
		for _, shown := range everywhere(t, value) {
			for _, trace := range traces {
				if strings.Contains(shown, trace) {
					t.Errorf("%T shows %q: %s", value, trace, shown)
				}
			}
		}
	}
	if shown := fmt.Sprint(key, sessiond.AuthKey{}, token); shown != "AuthKey(..) AuthKey() Token(..)" {
		t.Errorf("shown: %s", shown)
	}
}

// everywhere is a value as all that prints values shows it.
func everywhere(t *testing.T, value any) []string {
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, value))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "value", value)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "value", value)
	return append(shown, log.String(), string(ok(json.Marshal(value))(t)))
}

func TestASecretReadsBackFromItsBytes(t *testing.T) {
	text := bytes.Repeat([]byte(secret), 64)
	key := ok(sessiond.NewAuthKey(text))(t)
	if !bytes.Equal(key.Expose(), text) || !key.Equal(ok(sessiond.NewAuthKey(text))(t)) || key.Equal(sessiond.AuthKey{}) {
		t.Error("a key is another")
	}
	key.Expose()[0] = 0
	text[0] = 0
	if key.Expose()[0] == 0 {
		t.Error("a key was changed from outside")
	}
	token := ok(sessiond.NewToken(text[1:33]))(t)
	if again := ok(sessiond.ParseToken(token.ExposeHex()))(t); !again.Equal(token) {
		t.Error("a token is another")
	}
	for _, wrong := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("g", 64)} {
		if _, err := sessiond.ParseToken(wrong); err == nil || len(wrong) > 2 && strings.Contains(err.Error(), wrong[:3]) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := sessiond.NewAuthKey(text[1:]); err == nil {
		t.Error("a key of 255 bytes")
	}
}
