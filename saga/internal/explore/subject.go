package explore

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/explore/reach"
	"github.com/atonehq/atone/saga/internal/explore/stand"
	"github.com/atonehq/atone/saga/internal/work"
)

// Subject is a fresh world and the saga over it. One is made for each schedule.
type Subject struct {
	// Registry has the saga, its actions and the sagas that it starts.
	Registry *definition.Registry
	Saga     *definition.Definition
	// Fingerprint names the world's state, the same for the same state; nil where the world has
	// none. Scenes that come to one state, of the world and of their runs, are merged.
	Fingerprint func() string
	// Checks are the author's invariants, about this world.
	Checks []Check
	// Next makes the program that [Deploy] brings; nil for none.
	Next func() (*definition.Registry, error)
}

// When says when a check is to hold.
type When uint8

// The times of checks.
const (
	AtEachEnd     When = iota // the run ended, whichever way
	WhenCompleted             // everything is done
	WhenUndone                // everything is undone
	Always                    // after each call of a handler
)

// Check is an invariant of the author's.
type Check struct {
	Name string
	When When
	Func func() error
}

// Config says what is explored, and how far.
type Config struct {
	// Build makes the world and the saga. Edges is what handlers are to reach the world by.
	Build func(*Edges) (*Subject, error)
	// Input is that of each run. Inputs has one run for each element.
	Inputs []json.RawMessage
	// Signals and Events are what is sent to the awaits, by signal or event type; those without a
	// value are never met.
	Signals, Events map[string]json.RawMessage
	// Budget bounds the schedules. Faults is how many choices a schedule has at the most: up to two
	// exhaustively, more by Seed.
	Budget, Faults int
	Seed           uint64
	// For stops the search after a while; 0 means never. What was not tried is told.
	For time.Duration
	// Stop stops it too, when it is closed; may be nil.
	Stop <-chan struct{}
	// Without are answers that the world never gives, WithoutIn those by action.
	Without   []Answer
	WithoutIn map[string][]Answer
	// Replay is one schedule to play, and nothing else; nil for none.
	Replay Schedule
	// Apart keeps scenes apart that come to the same state. Of those that are merged, one in
	// DoubtEach is played on all the same, and compared; 0 means 64.
	Apart     bool
	DoubtEach int
	// NoWaiting makes an await that nothing ends a violation instead of a note.
	NoWaiting bool
	// NeverCompletes says that no run is meant to complete. Else it is a violation if none does.
	NeverCompletes bool
	// Describe tells events in words, for stories; nil tells their names.
	Describe func(domain.Fact) string

	offers map[offer][]Answer
	// edged are the actions, with their directions, whose handlers reach the world by edges.
	edged map[string]bool
	// program and worker are those of the scene before: most are the same.
	program *definition.Registry
	worker  *work.Worker
	shape   *shape
	// reached is what any run came to, and fitted that the signals and events were compared with
	// the awaits.
	reached reach.Map
	fitted  bool
	// buf is where states are written, and met how often a scene met another.
	buf stand.Buf
	met int
	// usual is how much came up in the scene before.
	usual struct{ facts, points int }
}
