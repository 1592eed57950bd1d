package domain

import (
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// The prefixes of the names of atone's streams. A prefix alone does not reserve a name: see
// [ReservedShape].
const (
	// RunPrefix begins the name of a run's stream: run-<uuid>.
	RunPrefix = "run-"
	// PlanPrefix begins the name of the stream that holds one plan: plan-<hash>.
	PlanPrefix = "plan-"
	// SnapshotPrefix begins the name of the stream with a run's snapshots: snapshot-<uuid>.
	SnapshotPrefix = "snapshot-"
	// SystemPrefix begins the names of all other streams of atone.
	SystemPrefix = "atone-"
	// SagaPrefix begins the name of the stream that lists a saga's versions: atone-saga-<name>.
	SagaPrefix = SystemPrefix + "saga-"
	// OldSagaPrefix began the name of that stream until it moved. Its registrations are still
	// read; the name is no longer reserved.
	OldSagaPrefix = "saga-"
)

// SystemSpace is the name space (UUID version 5) of the ids of atone's own records, except
// those of runs.
var SystemSpace = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e04")

// ReservedShape returns, in words, the reserved shape that the stream's name has, or "". Only atone
// may append to streams with reserved names: run- and snapshot- with a UUID, plan- with 64
// hexadecimal digits, and everything that begins with atone-.
func ReservedShape(stream string) string {
	if _, ok := RunOfStream(stream); ok {
		return "run- and a UUID"
	}
	if id, ok := strings.CutPrefix(stream, SnapshotPrefix); ok && isUUID(id) {
		return "snapshot- and a UUID"
	}
	if hash, ok := strings.CutPrefix(stream, PlanPrefix); ok && len(hash) == 64 && isHex(hash) {
		return "plan- and 64 hexadecimal digits"
	}
	if strings.HasPrefix(stream, SystemPrefix) {
		return "a name that begins with atone-"
	}
	return ""
}

// ReservedStream reports whether only atone itself may append to the stream.
func ReservedStream(stream string) bool { return ReservedShape(stream) != "" }

// isUUID accepts only the form with dashes, in upper or lower case.
func isUUID(s string) bool {
	_, err := uuid.Parse(s)
	return err == nil && len(s) == 36
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// RunID identifies a run.
type RunID = uuid.UUID

// Name spaces of the UUIDv5 identifiers that atone derives (RFC 9562, section 5.5).
var (
	runSpace      = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e01")
	eventSpace    = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e02")
	incidentSpace = uuid.MustParse("6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e03")
)

// NewRunID returns a random, time-ordered run id (UUIDv7): runs that start together are close in an
// index.
func NewRunID() RunID { return uuid.Must(uuid.NewV7()) }

const madeUp = "once-"

// NewKey makes up a key for a start whose caller gives none, so that the start can be sent again. A
// saga that computes the keys of its runs from their inputs uses its own in place of one made up.
func NewKey() string { return madeUp + strings.ReplaceAll(NewRunID().String(), "-", "") }

// KeyIsMadeUp reports whether nobody chose the key.
func KeyIsMadeUp(key string) bool { return strings.HasPrefix(key, madeUp) }

// RunIDForKey returns the id of the run that a caller's key names, for one saga.
func RunIDForKey(saga, key string) RunID {
	return uuid.NewSHA1(runSpace, []byte("key\x00"+saga+"\x00"+key))
}

// RunIDForKeyOf replaces [RunIDForKey] if a run of the other kind has that id: a saga and a single
// action may have the same name, and their keys are separate. action means that the run is of a
// single action.
func RunIDForKeyOf(action bool, name, key string) RunID {
	kind := "saga key"
	if action {
		kind = "action key"
	}
	return uuid.NewSHA1(runSpace, []byte(kind+"\x00"+name+"\x00"+key))
}

// RunIDForEvent returns the id of the run that a domain event starts, for one saga.
func RunIDForEvent(saga string, event uuid.UUID) RunID {
	return uuid.NewSHA1(runSpace, []byte("event\x00"+saga+"\x00"+event.String()))
}

// ChildRunID returns the id of the run that a step starts as its child.
func ChildRunID(parent RunID, step string) RunID {
	return uuid.NewSHA1(runSpace, []byte("child\x00"+parent.String()+"\x00"+step))
}

// RunStream returns the name of the run's stream.
func RunStream(id RunID) string { return RunPrefix + id.String() }

// RunOfStream returns the run that a stream belongs to, and whether it belongs to one.
func RunOfStream(stream string) (RunID, bool) {
	s, ok := strings.CutPrefix(stream, RunPrefix)
	if !ok || !isUUID(s) {
		return RunID{}, false
	}
	return uuid.MustParse(s), true
}

// IdempotencyKey returns the key that every attempt of the step in that direction
// carries. It is stable over attempts, crashes and versions of atone.
func IdempotencyKey(run RunID, step string, dir Direction) string {
	return run.String() + "/" + step + "/" + string(dir)
}

// UndoKey returns the key of the attempts of a step's n-th undo, counted from 1: a further undo,
// owed because an effect came after the last undo, must not look like a repeat of it.
func UndoKey(run RunID, step string, n int) string {
	key := IdempotencyKey(run, step, Undo)
	if n > 1 {
		key += "/" + strconv.Itoa(n)
	}
	return key
}

// IncidentID returns the id of the n-th incident of a run.
func IncidentID(run RunID, n int) uuid.UUID {
	return uuid.NewSHA1(incidentSpace, []byte(run.String()+"\x00"+strconv.Itoa(n)))
}
