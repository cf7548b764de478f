package sessiond

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Sizes of keys and tokens, in bytes.
const (
	AuthKeySize = 256
	TokenSize   = 32
)

// AuthKey is an authorization key: who has it is logged in. The zero value is no key.
//
// It is never printed: package fmt, package log/slog and JSON show only whether there is one. Compare keys with Equal.
type AuthKey struct {
	// Inside unexported fields of others package fmt does not ask Format, and looks through one pointer, but not through two.
	key **[AuthKeySize]byte
}

// Token is the token of a hold. Who shows it is taken for the holder: it may be handed to processes of the same user that
// work for the holder, and to nobody else. The zero value is no token.
//
// It is never printed: package fmt, package log/slog and JSON show only whether there is one. Compare tokens with Equal.
type Token struct {
	token **[TokenSize]byte
}

// NewAuthKey makes a key of 256 bytes, which are copied. Any other number of bytes is an error.
func NewAuthKey(key []byte) (AuthKey, error) {
	if len(key) != AuthKeySize {
		return AuthKey{}, fmt.Errorf("an authorization key has %d bytes, this one %d", AuthKeySize, len(key))
	}
	return AuthKey{new(new([AuthKeySize]byte(key)))}, nil
}

// Expose gives a copy of the key's bytes: nil where there is no key. Never log or print them.
func (k AuthKey) Expose() []byte {
	if k.key == nil {
		return nil
	}
	return slices.Clone((*k.key)[:])
}

// IsZero tells whether there is no key.
func (k AuthKey) IsZero() bool { return k.key == nil }

// Equal tells whether both are the same key, or both none.
func (k AuthKey) Equal(other AuthKey) bool {
	return subtle.ConstantTimeCompare(k.Expose(), other.Expose()) == 1
}

// Format writes "AuthKey(..)", or "AuthKey()" where there is none, whatever the verb.
func (k AuthKey) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, k.String()) }

// String is what Format writes.
func (k AuthKey) String() string { return redacted("AuthKey", k.IsZero()) }

// LogValue is what Format writes.
func (k AuthKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText gives what Format writes, so that JSON does not have the key either. It cannot be read back.
func (k AuthKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// NewToken makes a token of 32 bytes, which are copied. Any other number of bytes is an error.
func NewToken(token []byte) (Token, error) {
	if len(token) != TokenSize {
		return Token{}, errNoToken
	}
	return Token{new(new([TokenSize]byte(token)))}, nil
}

// ParseToken reads a token as ExposeHex writes it, and as `sessiond hold` puts it into SESSIOND_TOKEN.
func ParseToken(text string) (Token, error) {
	token, err := hex.DecodeString(text)
	if err != nil {
		return Token{}, errNoToken // not err: it quotes what it read
	}
	return NewToken(token)
}

// Expose gives a copy of the token's bytes: nil where there is no token. Never log or print them.
func (t Token) Expose() []byte {
	if t.token == nil {
		return nil
	}
	return slices.Clone((*t.token)[:])
}

// ExposeHex gives the token as 64 hexadecimal digits, for the environment of a process that works for the holder. Never log
// or print it.
func (t Token) ExposeHex() string { return hex.EncodeToString(t.Expose()) }

// IsZero tells whether there is no token.
func (t Token) IsZero() bool { return t.token == nil }

// Equal tells whether both are the same token, or both none.
func (t Token) Equal(other Token) bool {
	return subtle.ConstantTimeCompare(t.Expose(), other.Expose()) == 1
}

// Format writes "Token(..)", or "Token()" where there is none, whatever the verb.
func (t Token) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, t.String()) }

// String is what Format writes.
func (t Token) String() string { return redacted("Token", t.IsZero()) }

// LogValue is what Format writes.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText gives what Format writes, so that JSON does not have the token either. It cannot be read back.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

var errNoToken = errors.New("a hold's token is 32 bytes, or 64 hexadecimal digits")

func redacted(name string, zero bool) string {
	if zero {
		return name + "()"
	}
	return name + "(..)"
}
