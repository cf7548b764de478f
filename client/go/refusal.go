package sessiond

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "sessiond.invalid/client/go/sessiondpb"
)

// domain is that of every ErrorInfo that the daemon sends.
const domain = "sessiond"

// told is an error without fields, in the daemon's words.
type told struct {
	kind    error
	message string
}

func (t *told) Error() string { return t.message }
func (t *told) Unwrap() error { return t.kind }

// refusal is what a call returns for an error of gRPC that the daemon answered. One that it does not know stays as it is.
func refusal(err error) error {
	info := infoOf(err)
	message := status.Convert(err).Message()
	reason := reasonOf(info)
	switch reason {
	case pb.Reason_REASON_INVALID_NAME:
		return &InvalidNameError{message}
	case pb.Reason_REASON_INVALID_SESSION, pb.Reason_REASON_INVALID_PAGE_TOKEN,
		pb.Reason_REASON_TOKEN_REQUIRED, pb.Reason_REASON_REQUEST_ID_REUSED:
		return &InvalidArgumentError{Reason(info.GetReason()), message}
	case pb.Reason_REASON_FENCED:
		return ErrFenced
	case pb.Reason_REASON_HELD_BY_ANOTHER:
		return heldByAnother(info.GetMetadata())
	case pb.Reason_REASON_REVISION_MISMATCH:
		if current, ok := number(info, "revision"); ok {
			return &RevisionMismatchError{current}
		}
	case pb.Reason_REASON_FILE_IN_USE:
		return &FileInUseError{pidsOf(info.GetMetadata()["pids"]), message}
	}
	if kind, ok := kinds[reason]; ok {
		return &told{kind, message}
	}
	return err
}

var kinds = map[pb.Reason]error{
	pb.Reason_REASON_FOREIGN_FILE:    ErrForeignFile,
	pb.Reason_REASON_NOT_PERMITTED:   ErrNotPermitted,
	pb.Reason_REASON_SESSION_DAMAGED: ErrDamaged,
	pb.Reason_REASON_LIMIT_EXCEEDED:  ErrLimitExceeded,
	pb.Reason_REASON_STORAGE_FULL:    ErrStorageFull,
	pb.Reason_REASON_STORAGE_FAILED:  ErrStorageFailed,
}

// isPassing tells whether the same request may get another answer: no daemon answered, or one that starts, stops, or whose
// disk failed.
func isPassing(err error) bool {
	answer, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch answer.Code() {
	case codes.Unavailable:
		return true
	case codes.Unknown, codes.Canceled, codes.Internal, codes.DeadlineExceeded:
		info := infoOf(err)
		// The daemon says why: without that, it is what is left of an answer that was cut.
		return info == nil || reasonOf(info) == pb.Reason_REASON_STORAGE_FAILED
	default:
		return false
	}
}

// isFenced tells whether the daemon said that the token is not the current one.
func isFenced(err error) bool { return reasonOf(infoOf(err)) == pb.Reason_REASON_FENCED }

// refusedSequence is that of the change of an advance stream that an error is about, if it is.
func refusedSequence(err error) (int64, bool) { return number(infoOf(err), "sequence") }

// unexpected is the error of an answer that this version cannot read.
func unexpected(err error) error { return fmt.Errorf("unexpected answer of the daemon: %w", err) }

// infoOf is what the daemon says of an error, for programs. Nil: it is not one of the daemon's.
func infoOf(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == domain {
			return info
		}
	}
	return nil
}

func reasonOf(info *errdetails.ErrorInfo) pb.Reason {
	return pb.Reason(pb.Reason_value["REASON_"+info.GetReason()])
}

func heldByAnother(metadata map[string]string) error {
	held := &HeldByAnotherError{Label: metadata["label"]}
	if pid, err := strconv.ParseInt(metadata["pid"], 10, 32); err == nil {
		held.PID = int32(pid)
	}
	if since, err := time.Parse(time.RFC3339, metadata["since"]); err == nil {
		held.Since = since
	}
	return held
}

func pidsOf(text string) []int32 {
	var pids []int32
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if pid, err := strconv.ParseInt(word, 10, 32); err == nil {
			pids = append(pids, int32(pid))
		}
	}
	return pids
}

func number(info *errdetails.ErrorInfo, key string) (int64, bool) {
	value, err := strconv.ParseInt(info.GetMetadata()[key], 10, 64)
	return value, err == nil
}
