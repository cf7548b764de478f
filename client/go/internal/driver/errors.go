package main

import (
	"errors"
	"log"

	sessiond "sessiond.invalid/client/go"
)

// plainReasons are those of errors without fields.
var plainReasons = map[error]string{
	sessiond.ErrFenced: "FENCED", sessiond.ErrForeignFile: "FOREIGN_FILE", sessiond.ErrNotPermitted: "NOT_PERMITTED",
	sessiond.ErrDamaged: "SESSION_DAMAGED", sessiond.ErrLimitExceeded: "LIMIT_EXCEEDED",
	sessiond.ErrStorageFull: "STORAGE_FULL", sessiond.ErrStorageFailed: "STORAGE_FAILED",
}

// refused tells an error by its reason.
func refused(err error) answer {
	var change *sessiond.ChangeRefusedError
	if errors.As(err, &change) { // before what it wraps
		return answer{
			"reason": "CHANGE_REFUSED", "sequence": digits(change.Sequence), "refusal": refused(change.Refusal),
		}
	}
	if name := (*sessiond.InvalidNameError)(nil); errors.As(err, &name) {
		return answer{"reason": "INVALID_NAME"}
	}
	if argument := (*sessiond.InvalidArgumentError)(nil); errors.As(err, &argument) {
		return answer{"reason": argument.Reason}
	}
	if held := (*sessiond.HeldByAnotherError)(nil); errors.As(err, &held) {
		told := answer{"reason": "HELD_BY_ANOTHER", "label": held.Label}
		if held.PID != 0 {
			told["pid"] = held.PID
		}
		putTime(told, "since", held.Since)
		return told
	}
	if lost := (*sessiond.LostError)(nil); errors.As(err, &lost) {
		return answer{"reason": "LOST", "lost": lost.Reason}
	}
	if mismatch := (*sessiond.RevisionMismatchError)(nil); errors.As(err, &mismatch) {
		return answer{"reason": "REVISION_MISMATCH", "current": digits(mismatch.Current)}
	}
	if file := (*sessiond.FileInUseError)(nil); errors.As(err, &file) {
		return answer{"reason": "FILE_IN_USE", "pids": every(file.PIDs, plain)}
	}
	if unavailable := (*sessiond.UnavailableError)(nil); errors.As(err, &unavailable) {
		return answer{"reason": "UNAVAILABLE"}
	}
	for kind, reason := range plainReasons {
		if errors.Is(err, kind) {
			return answer{"reason": reason}
		}
	}
	log.Print(err) // for whoever looks into why
	return answer{"reason": "OTHER"}
}
