package pebblelog

import (
	"errors"
	"fmt"

	"github.com/atonehq/atone/domain"
)

var (
	// ErrLocked means that another process, or another Log of this one, has the directory open.
	ErrLocked = errors.New("log directory is in use")
	// ErrNewerFormat means that a newer version of atone wrote the directory.
	ErrNewerFormat = errors.New("log has a newer format")
	// ErrNotALog means that the directory holds something else than a log, or only a part of one.
	ErrNotALog = errors.New("directory does not hold a log")
	// ErrFailed means that a write failed earlier and that the log takes no more appends until
	// it is opened again. What was acknowledged is safe.
	ErrFailed = domain.ErrFailed
	// ErrCorrupt means that the log is damaged. The error is a [*CorruptionError].
	ErrCorrupt = errors.New("log is damaged")
)

// CorruptionError tells what is damaged, and where.
type CorruptionError struct {
	// Position is the first position that is affected; 0 where the damage is not in an
	// event, or its position is not known.
	Position domain.Position
	// Through is the last position that is affected, where more than one is known to be; else 0.
	Through domain.Position
	// Stream is the stream that the damage was met in, where known.
	Stream string
	// File and Offset are the place in the directory's files; "" and 0 where it is not known.
	File   string
	Offset int64
	// Err is what is wrong.
	Err error
	// Remedy says what to do about it; empty for the advice that fits any damage.
	Remedy string
}

// What to do about damage.
const (
	remedyAny  = "copy the directory, have the disk checked, and restore a backup"
	remedyLoss = "put the file back from a snapshot or restore a backup of the whole directory; only where there is none, give the events up for lost " +
		"with `atone log accept-loss` (see \"When the log has lost events\" in docs/operations.md)"
	remedyMark = "check the log with `atone audit verify --all`, and where it is sound, write the file anew with `atone log accept-loss`"
	// remedySettings is for damage to a file that no event depends on.
	remedySettings = "the file holds settings of the store, and no events: remove it and start again"
)

// Error implements error.
func (e *CorruptionError) Error() string {
	at := ""
	switch {
	case e.Position > 0 && e.Through > e.Position:
		at += fmt.Sprintf(" at positions %d to %d", e.Position, e.Through)
	case e.Position > 0:
		at += fmt.Sprintf(" at position %d", e.Position)
	}
	if e.Stream != "" {
		at += fmt.Sprintf(" in stream %s", e.Stream)
	}
	if e.File != "" {
		at += " in file " + e.File
		if e.Offset > 0 {
			at += fmt.Sprintf(" at offset %d", e.Offset)
		}
	}
	remedy := e.Remedy
	if remedy == "" {
		remedy = remedyAny
	}
	return fmt.Sprintf("%v%s: %v: %s", ErrCorrupt, at, e.Err, remedy)
}

// Unwrap returns the cause.
func (e *CorruptionError) Unwrap() error { return e.Err }

// Is reports true for [ErrCorrupt].
func (e *CorruptionError) Is(target error) bool { return target == ErrCorrupt }
