package sessiond

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// toldWithin is how long a call whose token is refused waits for the life line to say why: that is on its way then, unless the
// line is being opened again, which takes up to a second.
const toldWithin = time.Second

// Held is a held session: what its keys can be read by and its data written with. A Hold has one; a process that works for
// a holder gets one by the holder's token, from Client.Held.
//
// Its methods fail with a *LostError once the hold is lost; with ErrFenced where the process was given the token; and with
// an *UnavailableError when no daemon answers until the deadline. They may be called by many goroutines at once.
type Held struct {
	client *Client
	name   string
	token  Token
	// fenced is the error of a token that is refused.
	fenced error
	ctx    context.Context
	end    context.CancelCauseFunc
}

// Held is a session that another process holds, which gave this one its token to work for it.
func (c *Client) Held(name string, token Token) (*Held, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return newHeld(context.Background(), c, name, token, ErrFenced), nil
}

func newHeld(ctx context.Context, c *Client, name string, token Token, fenced error) *Held {
	held := &Held{client: c, name: name, token: token, fenced: fenced}
	held.ctx, held.end = context.WithCancelCause(context.WithoutCancel(ctx))
	return held
}

// Name is the session's name.
func (h *Held) Name() string { return h.name }

// Token is the hold's token, for processes that work for this one. A secret.
func (h *Held) Token() Token { return h.token }

// Context lasts as long as the session is held. Whatever uses the keys is to be given it, or one that is made of it, so that
// it ends with the hold: a *LostError is its context.Cause when the hold is lost, and no cause of its own when it is
// released. A daemon that is down does not end it.
//
// In a process that was given the token, a loss shows itself at the next call, and the cause is ErrFenced.
func (h *Held) Context() context.Context { return h.ctx }

// Format writes the session's name, whatever the verb.
func (h *Held) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, h.String()) }

// String has the session's name.
func (h *Held) String() string { return fmt.Sprintf("sessiond.Held(%s)", h.name) }

// Load reads the session, with its keys.
func (h *Held) Load(ctx context.Context) (Loaded, error) {
	if err := h.check(); err != nil {
		return Loaded{}, err
	}
	loaded, err := h.client.load(ctx, h.name, h.token)
	return loaded, h.lostBy(ctx, err)
}

// Save makes the session exactly this, and gives its revision after it. A session with a key that is withheld is refused
// before it is sent, since the daemon would forget the key: an *InvalidArgumentError with InvalidSession.
func (h *Held) Save(ctx context.Context, session *Session, options ...WriteOption) (int64, error) {
	if dc := session.withheld(); dc != nil {
		problem := fmt.Sprintf("dcs[id=%d].auth was withheld, so it would be lost", dc.ID)
		return 0, &InvalidArgumentError{InvalidSession, problem}
	}
	return h.save(ctx, &pb.SaveRequest{Session: session.toWire(), Mode: pb.SaveMode_SAVE_MODE_REPLACE}, options)
}

// Merge adds what this session knows to what is stored, and gives the session's revision after it. It takes nothing away: what
// is absent or zero keeps what is stored, channels merge by id, and the user by field; but another user's id clears the
// state, the channels and the keys that are not mentioned.
func (h *Held) Merge(ctx context.Context, session *Session, options ...WriteOption) (int64, error) {
	return h.save(ctx, &pb.SaveRequest{Session: session.toWire(), Mode: pb.SaveMode_SAVE_MODE_MERGE}, options)
}

// MergeAfterClear forgets what clear names and then merges, in one commit. This is how a library logs out.
func (h *Held) MergeAfterClear(
	ctx context.Context, session *Session, clear Clear, options ...WriteOption,
) (int64, error) {
	request := &pb.SaveRequest{
		Session: session.toWire(), Mode: pb.SaveMode_SAVE_MODE_MERGE, Clear: clear.toWire(),
	}
	return h.save(ctx, request, options)
}

// Advance sets the counters that the change mentions, and gives the session's revision after it: the small write that follows
// every update. A change that mentions nothing is refused.
func (h *Held) Advance(ctx context.Context, change StateChange, options ...WriteOption) (int64, error) {
	settings := writeSettingsOf(options)
	request := &pb.AdvanceRequest{
		Name: h.name, Token: h.token.Expose(), Change: change.toWire(),
		ExpectedRevision: settings.expectedRevision, RequestId: settings.requestID,
	}
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.AdvanceResponse, error) {
		return h.client.sessions.Advance(ctx, request)
	})
	return answer.GetRevision(), err
}

// Delete deletes the session with its peers and attributes, and gives the revision of the deletion, or 0 where there was
// nothing to delete. Load and Save still work after it. After Release it works too, until another holds the session.
func (h *Held) Delete(ctx context.Context, options ...WriteOption) (int64, error) {
	settings := writeSettingsOf(options)
	request := &pb.DeleteRequest{
		Name: h.name, Token: h.token.Expose(),
		ExpectedRevision: settings.expectedRevision, RequestId: settings.requestID,
	}
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.DeleteResponse, error) {
		return h.client.sessions.Delete(ctx, request)
	})
	return answer.GetRevision(), err
}

func (h *Held) save(ctx context.Context, request *pb.SaveRequest, options []WriteOption) (int64, error) {
	settings := writeSettingsOf(options)
	request.Name, request.Token = h.name, h.token.Expose()
	request.ExpectedRevision, request.RequestId = settings.expectedRevision, settings.requestID
	answer, err := heldCall(ctx, h, func(ctx context.Context) (*pb.SaveResponse, error) {
		return h.client.sessions.Save(ctx, request)
	})
	return answer.GetRevision(), err
}

// heldCall makes a call with the hold's token.
func heldCall[T any](ctx context.Context, h *Held, attempt func(context.Context) (T, error)) (T, error) {
	if err := h.check(); err != nil {
		return *new(T), err
	}
	answer, err := call(ctx, h.client, attempt)
	return answer, h.lostBy(ctx, err)
}

// check returns the error of a hold that is not kept any more. One that was released is the daemon's to refuse: it takes a
// Delete.
func (h *Held) check() error {
	if cause := context.Cause(h.ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// lostBy is the error of a call as one of the hold: when the token is refused, the hold is lost. The reason is the life line's
// to tell, and is waited for a little.
func (h *Held) lostBy(ctx context.Context, err error) error {
	if errors.Is(err, ErrFenced) {
		if !errors.Is(h.fenced, ErrFenced) {
			h.awaitEnd(ctx)
		}
		h.end(h.fenced)
	} else if !errors.Is(err, context.Canceled) {
		return err
	}
	// A call that was given the hold's own context was cancelled by its loss.
	if cause := h.check(); cause != nil {
		return cause
	}
	return err
}

// awaitEnd waits for the end of the hold, for as long as the life line may take to tell it.
func (h *Held) awaitEnd(ctx context.Context) {
	timer := time.NewTimer(toldWithin)
	defer timer.Stop()
	select {
	case <-h.ctx.Done():
	case <-ctx.Done():
	case <-timer.C:
	}
}

func writeSettingsOf(options []WriteOption) writeSettings {
	settings := writeSettings{requestID: newRequestID()}
	for _, option := range options {
		option(&settings)
	}
	return settings
}
