package sessiond_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sessiond "sessiond.invalid/client/go"
	pb "sessiond.invalid/client/go/sessiondpb"
)

var change = sessiond.StateChange{Pts: new(int32(1))}

// refusing is what a write becomes that the daemon answers with an error.
func refusing(t *testing.T, answer error) error {
	t.Helper()
	f := &fake{advance: func(*pb.AdvanceRequest) (*pb.AdvanceResponse, error) { return nil, answer }}
	hold := ok(f.serve(t, impatient).Hold(t.Context(), "alice"))(t)
	_, err := hold.Advance(t.Context(), change)
	return err
}

func TestEveryReasonHasItsError(t *testing.T) {
	words := "in the daemon's words"
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	argument := func(reason sessiond.Reason) error {
		return &sessiond.InvalidArgumentError{Reason: reason, Message: words}
	}
	for _, c := range []struct {
		code     codes.Code
		reason   string
		metadata map[string]string
		expected error
	}{
		{codes.InvalidArgument, "INVALID_NAME", nil, &sessiond.InvalidNameError{Message: words}},
		{codes.InvalidArgument, "INVALID_SESSION", nil, argument(sessiond.InvalidSession)},
		{codes.InvalidArgument, "INVALID_PAGE_TOKEN", nil, argument(sessiond.InvalidPageToken)},
		{codes.InvalidArgument, "TOKEN_REQUIRED", nil, argument(sessiond.TokenRequired)},
		{codes.InvalidArgument, "REQUEST_ID_REUSED", nil, argument(sessiond.RequestIDReused)},
		{codes.FailedPrecondition, "FENCED", nil, &sessiond.LostError{Reason: sessiond.Fenced}},
		{codes.FailedPrecondition, "HELD_BY_ANOTHER",
			map[string]string{"label": "bot", "pid": "42", "since": "2026-01-02T03:04:05Z"},
			&sessiond.HeldByAnotherError{Label: "bot", PID: 42, Since: since}},
		{codes.Aborted, "REVISION_MISMATCH", map[string]string{"revision": "7"}, &sessiond.RevisionMismatchError{Current: 7}},
		{codes.FailedPrecondition, "FILE_IN_USE", map[string]string{"pids": "7, 8"},
			&sessiond.FileInUseError{PIDs: []int32{7, 8}, Message: words}},
	} {
		err := refusing(t, refuse(c.code, c.reason, c.metadata))
		if !reflect.DeepEqual(err, c.expected) {
			t.Errorf("%s: %#v", c.reason, err)
		}
	}
}

func TestAReasonWithoutFieldsHasTheDaemonsWords(t *testing.T) {
	for _, c := range []struct {
		code   codes.Code
		reason string
		kind   error
	}{
		{codes.FailedPrecondition, "FOREIGN_FILE", sessiond.ErrForeignFile},
		{codes.PermissionDenied, "NOT_PERMITTED", sessiond.ErrNotPermitted},
		{codes.DataLoss, "SESSION_DAMAGED", sessiond.ErrDamaged},
		{codes.ResourceExhausted, "LIMIT_EXCEEDED", sessiond.ErrLimitExceeded},
		{codes.ResourceExhausted, "STORAGE_FULL", sessiond.ErrStorageFull},
		{codes.Internal, "STORAGE_FAILED", sessiond.ErrStorageFailed},
	} {
		if err := refusing(t, refuse(c.code, c.reason, nil)); !errors.Is(err, c.kind) || err.Error() != "in the daemon's words" {
			t.Errorf("%s: %#v", c.reason, err)
		}
	}
}

func TestAnErrorOfWhichNothingIsKnownStaysAsItIs(t *testing.T) {
	for _, answer := range []error{
		status.Error(codes.Unimplemented, "no such method"),
		refuse(codes.OutOfRange, "OF_A_LATER_VERSION", nil),
		refuse(codes.Aborted, "REVISION_MISMATCH", nil),
	} {
		if err := refusing(t, answer); status.Code(err) != status.Code(answer) {
			t.Errorf("%v: %#v", answer, err)
		}
	}
}

func TestADaemonThatStartsOrStopsIsAskedAgain(t *testing.T) {
	answers := []error{
		refuse(codes.Unavailable, "STARTING", nil), refuse(codes.Unavailable, "SHUTTING_DOWN", nil),
		refuse(codes.Internal, "STORAGE_FAILED", nil), status.Error(codes.Unknown, "cut"), nil,
	}
	ids := make(map[string]bool)
	f := &fake{advance: func(request *pb.AdvanceRequest) (*pb.AdvanceResponse, error) {
		ids[request.RequestId] = true
		answer := answers[0]
		answers = answers[1:]
		return &pb.AdvanceResponse{Revision: 5}, answer
	}}
	hold := ok(f.serve(t).Hold(t.Context(), "alice"))(t)
	if revision := ok(hold.Advance(t.Context(), change))(t); revision != 5 {
		t.Errorf("revision %d", revision)
	}
	if len(ids) != 1 || ids[""] {
		t.Errorf("request ids: %v", ids)
	}
}

func TestADaemonThatIsAwayIsUnavailableAtTheDeadline(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "none")
	client := ok(sessiond.Connect(sessiond.Socket(socket), impatient))(t)
	defer client.Close()
	calls := map[string]func(context.Context) error{
		"load": func(ctx context.Context) error { _, err := client.Load(ctx, "alice"); return err },
		"hold": func(ctx context.Context) error { _, err := client.Hold(ctx, "alice", sessiond.Wait()); return err },
		"watch": func(ctx context.Context) (last error) {
			for _, err := range ok(client.Watch(sessiond.WatchOptions{}))(t).Events(ctx) {
				last = err
			}
			return last
		},
		"list": func(ctx context.Context) (last error) {
			for _, err := range client.List(ctx, "") {
				last = err
			}
			return last
		},
	}
	for name, call := range calls {
		for _, bounded := range []bool{false, true} {
			ctx, cancel := t.Context(), func() {}
			if bounded {
				ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
			}
			began := time.Now()
			err := call(ctx)
			cancel()
			var unavailable *sessiond.UnavailableError
			if !errors.As(err, &unavailable) || unavailable.Socket != socket ||
				!strings.Contains(unavailable.Detail, "no such file") || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took > 2*time.Second || bounded && took >= 300*time.Millisecond {
				t.Errorf("%s took %v", name, took)
			}
		}
	}
}

func TestACancelledCallIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fake{advance: func(*pb.AdvanceRequest) (*pb.AdvanceResponse, error) {
		cancel()
		return nil, status.Error(codes.Unavailable, "")
	}}
	hold := ok(f.serve(t).Hold(t.Context(), "alice"))(t)
	if _, err := hold.Advance(ctx, change); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAReleaseThatWasNotAnsweredHasGoneThrough(t *testing.T) {
	answers := []error{status.Error(codes.Unavailable, "cut"), refuse(codes.FailedPrecondition, "FENCED", nil)}
	f := &fake{release: func(*pb.ReleaseRequest) (*pb.ReleaseResponse, error) {
		answer := answers[0]
		answers = answers[1:]
		return nil, answer
	}}
	client := f.serve(t)
	succeeds(t, ok(client.Hold(t.Context(), "alice"))(t).Release(t.Context()))
	answers = []error{refuse(codes.FailedPrecondition, "FENCED", nil)}
	err := ok(client.Hold(t.Context(), "alice"))(t).Release(t.Context())
	var lost *sessiond.LostError
	if !errors.As(err, &lost) || lost.Reason != sessiond.Fenced {
		t.Errorf("fenced at once: %v", err)
	}
}

func TestAClientThatIsClosedCallsNobody(t *testing.T) {
	client := new(fake).serve(t)
	hold := ok(client.Hold(t.Context(), "alice"))(t)
	succeeds(t, client.Close())
	if cause := context.Cause(hold.Context()); !errors.Is(cause, sessiond.ErrClosed) {
		t.Errorf("cause: %v", cause)
	}
	_, load := client.Load(t.Context(), "alice")
	_, again := client.Hold(t.Context(), "alice")
	_, write := hold.Advance(t.Context(), change)
	_, push := hold.AdvanceStream().Push(t.Context(), change)
	for _, err := range []error{load, again, write, push} {
		if !errors.Is(err, sessiond.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	}
}

func TestANameIsCheckedBeforeAnythingIsSent(t *testing.T) {
	client := new(fake).serve(t)
	names := []string{"", ".x", "-x", "../x", "x\n", "é", strings.Repeat("x", 129)}
	for _, name := range names {
		_, hold := client.Hold(t.Context(), name)
		_, load := client.Load(t.Context(), name)
		_, held := client.Held(name, sessiond.Token{})
		_, watch := client.Watch(sessiond.WatchOptions{Names: []string{"alice", name}})
		for _, err := range []error{hold, load, held, watch, client.EndHold(t.Context(), name)} {
			if invalid := (*sessiond.InvalidNameError)(nil); !errors.As(err, &invalid) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, name := range []string{"a", "A-1_b.session", "0", "_x", strings.Repeat("x", 128)} {
		ok(client.Held(name, sessiond.Token{}))(t)
	}
}
