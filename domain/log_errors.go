package domain

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that a [Log] returns, to be tested with errors.Is.
var (
	// ErrConflict means that the stream was not at the expected revision. The error
	// is a [*ConflictError].
	ErrConflict = errors.New("wrong expected revision")
	// ErrTooLarge means that an append is over [MaxAppendSize]; nothing was written.
	ErrTooLarge = errors.New("append too large")
	// ErrStreamDeleted means that the stream was deleted for ever (tombstoned).
	ErrStreamDeleted = errors.New("stream deleted")
	// ErrAccessDenied means that the caller may not do this; nothing was written.
	ErrAccessDenied = errors.New("access denied")
	// ErrFailed means that an earlier write failed. The log takes no more appends until it is
	// opened again.
	ErrFailed = errors.New("log failed and takes no more appends")
	// ErrBadPosition means that a read or a subscription was to begin at a position that is not one
	// of this log: no record is there, or it is past the end. It was computed or mistyped, or comes
	// from another log or from a lost part of this one. Nothing was read; repeating the call does
	// not help.
	ErrBadPosition = errors.New("not a position of this log: give 0, or one that the log itself gave")
	// ErrClosed means that the log was closed.
	ErrClosed = errors.New("log closed")
)

// ConflictError says which revision an append expected and which the stream has.
type ConflictError struct {
	Stream   string
	Expected Expected
	// Actual is the stream's last revision, or [NoStream].
	Actual Expected
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("append to %s: expected revision %v, but the stream is at %v: read it and decide again",
		e.Stream, e.Expected, e.Actual)
}

// Is reports true for [ErrConflict].
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// JoinOnce joins errors without repeats: it takes joined errors apart and keeps the first error of
// each text. It returns nil for none.
func JoinOnce(errs ...error) error {
	var all []error
	told := make(map[string]bool)
	var add func([]error)
	add = func(errs []error) {
		for _, err := range errs {
			if err == nil {
				continue
			}
			if j, ok := err.(interface{ Unwrap() []error }); ok && isJoined(err, j.Unwrap()) {
				add(j.Unwrap())
				continue
			}
			if text := err.Error(); !told[text] {
				told[text] = true
				all = append(all, err)
			}
		}
	}
	add(errs)
	return errors.Join(all...)
}

// isJoined reports whether errors.Join made the error, so that it has no text of its own.
func isJoined(err error, parts []error) bool {
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.Error()
	}
	return err.Error() == strings.Join(texts, "\n")
}
