package gotd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	sessiond "sessiond.invalid/client/go"
)

// ErrLoggedOut: the session has no key, and RequireLogin does not let gotd make a new one.
var ErrLoggedOut = errors.New("nobody is logged in to the session")

// Session is a held session as gotd's storage. It may be used by many goroutines at once.
//
// What gotd stores when it connects is durable when StoreSession returns. Update states and access hashes are written behind
// it, in order, as fast as the daemon takes them; Release waits for the last one.
type Session struct {
	hold         *sessiond.Hold
	bot          *bool
	requireLogin bool
	records      *records

	// user is who is logged in. Nil: not known.
	user atomic.Pointer[sessiond.User]
	// saving is held over what reads the session and then writes it.
	saving sync.Mutex
}

// Option is a setting of New: WithBot or RequireLogin.
type Option func(*Session)

// WithBot says whether the account is a bot. gotd's storages are told ids alone, but other libraries want to know.
func WithBot(bot bool) Option { return func(s *Session) { s.bot = &bot } }

// RequireLogin lets gotd's client fail with ErrLoggedOut, before it connects, where it would have to log in: for a worker
// that cannot ask for a code, and may be handed a session that somebody has logged out.
func RequireLogin() Option { return func(s *Session) { s.requireLogin = true } }

// New makes gotd's storage of a session that was just taken. Nothing else is to write its user, state and peers from then on.
func New(hold *sessiond.Hold, options ...Option) *Session {
	s := &Session{hold: hold, records: newRecords(hold)}
	if session := hold.Session(); session != nil {
		s.user.Store(session.User)
	}
	for _, option := range options {
		option(s)
	}
	return s
}

// Context is the hold's: it ends when the hold is lost, with a *sessiond.LostError as its cause. Run gotd's client with it.
// Its Run returns nil then, as for any context that ends: ask context.Cause.
func (s *Session) Context() context.Context { return s.hold.Context() }

// Flush waits until every state and access hash that was set is durable. With an error some are not, and are tried again.
func (s *Session) Flush(ctx context.Context) error { return s.records.flush(ctx) }

// Release writes what is left and lets the session go. Call it once gotd's Run has returned. The errors are those of
// sessiond.Hold.Release, and what kept states from being written; the session is let go either way.
func (s *Session) Release(ctx context.Context) error {
	unwritten := s.records.flush(ctx)
	if err := s.hold.Release(ctx); err != nil {
		return err
	}
	return unwritten
}

// Delete deletes the session, with its states and access hashes. Call it after auth.logOut, of which gotd tells no storage.
func (s *Session) Delete(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.records.forget(ctx); err != nil {
		return err
	}
	_, err := s.hold.Delete(ctx)
	if err == nil {
		s.user.Store(nil)
	}
	return err
}

// logIn stores that this user is logged in, where that is not known. It is an error that another one is.
func (s *Session) logIn(ctx context.Context, userID int64) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	user := s.user.Load()
	if user != nil && (user.ID != userID || s.bot == nil || user.Bot != nil && *user.Bot == *s.bot) {
		return s.belongsTo(userID)
	}
	loaded, err := s.hold.Load(ctx)
	if err != nil {
		return err
	}
	user = &sessiond.User{ID: userID, DC: homeOf(loaded.Session), Bot: s.bot}
	if _, err := s.hold.Merge(ctx, &sessiond.Session{User: user}); err != nil {
		return err
	}
	s.user.Store(user)
	return nil
}

// belongsTo is an error if another user is logged in.
func (s *Session) belongsTo(userID int64) error {
	if user := s.user.Load(); user != nil && user.ID != userID {
		return fmt.Errorf("session %q is that of user %d, not of user %d: log out of it first, or use another name",
			s.hold.Name(), user.ID, userID)
	}
	return nil
}

// homeOf is the home data center of a session that may be nil.
func homeOf(session *sessiond.Session) int32 {
	if session == nil {
		session = new(sessiond.Session)
	}
	return session.HomeDCID()
}
