package sagatest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// suiteTimeout bounds each scenario, so that a log that loses a wake-up fails its test
// with a message instead of hanging.
const suiteTimeout = 60 * time.Second

// LogSuite is the contract of [domain.Log] as tests. Every adapter runs it; what it does
// not ask for, no caller may rely on.
//
// The suite works on a log that holds other events and is written to by others at the
// same time, a shared server for instance: it uses stream names of its own, and reads the
// whole log only through filters or from a position that it noted.
type LogSuite struct {
	// Open returns a log to test, at best an empty one of its own for each call. What needs
	// closing is closed by the function's own t.Cleanup. Required.
	Open func(t *testing.T) domain.Log

	// Reopen ends the given log the way a crash or a stop would, and opens the same data
	// again. When nil, the scenarios about durability are left out.
	Reopen func(t *testing.T, log domain.Log) domain.Log

	// NoRepeatPosition says that the engine answers a repeated append with the original
	// revision, but does not know the original position any more.
	NoRepeatPosition bool
}

// TestLog runs the whole contract that a log of any kind keeps, without the scenarios that
// need [LogSuite.Reopen].
func TestLog(t *testing.T, open func(t *testing.T) domain.Log) {
	t.Helper()
	LogSuite{Open: open}.Run(t)
}

// Run runs every scenario as a parallel subtest.
func (s LogSuite) Run(t *testing.T) {
	t.Helper()
	require.NotNil(t, s.Open, "LogSuite.Open is required")
	groups := []struct {
		name      string
		scenarios []scenario
	}{
		{"append", appendScenarios},
		{"idempotency", repeatScenarios},
		{"concurrency", concurrencyScenarios},
		{"read", readScenarios},
		{"subscribe", subscribeScenarios},
		{"close", closeScenarios},
	}
	if s.Reopen != nil {
		groups = append(groups, struct {
			name      string
			scenarios []scenario
		}{"reopen", reopenScenarios})
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, sc := range group.scenarios {
				t.Run(sc.name, func(t *testing.T) {
					t.Parallel()
					sc.run(newLogTest(t, s))
				})
			}
		})
	}
}

// scenario is one named statement about a log.
type scenario struct {
	name string
	run  func(*logTest)
}

// logTest is what one scenario works with: a log, and stream names that are its own.
type logTest struct {
	*testing.T
	suite LogSuite
	log   domain.Log
	ctx   context.Context
	// prefix begins the names of all streams of this scenario and of no other's.
	prefix string
}

func newLogTest(t *testing.T, s LogSuite) *logTest {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), suiteTimeout)
	t.Cleanup(cancel)
	return &logTest{T: t, suite: s, log: s.Open(t), ctx: ctx, prefix: "t" + uuid.NewString()[:13] + "."}
}

// stream returns the name of one of the scenario's streams.
func (t *logTest) stream(name string) string { return t.prefix + name }

// own selects the scenario's streams.
func (t *logTest) own() domain.Filter { return domain.Filter{Prefixes: []string{t.prefix}} }

// mustAppend appends and requires success.
func (t *logTest) mustAppend(stream string, expected domain.Expected, events ...domain.NewEvent) domain.Appended {
	t.Helper()
	at, err := t.log.Append(t.ctx, stream, expected, events...)
	require.NoError(t, err)
	return at
}

// seed appends n events to the stream, which must not exist yet, and returns them.
func (t *logTest) seed(stream string, n int) []domain.NewEvent {
	t.Helper()
	events := newEvents(n)
	t.mustAppend(stream, domain.NoStream, events...)
	return events
}

// contents reads the stream to its end.
func (t *logTest) contents(stream string) []domain.Recorded {
	t.Helper()
	return t.collect(t.log.ReadStream(t.ctx, stream, 0))
}

// collect drains a read and requires that it ended without an error.
func (t *logTest) collect(seq iter.Seq2[domain.Recorded, error]) []domain.Recorded {
	t.Helper()
	var all []domain.Recorded
	for r, err := range seq {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// holds requires that the stream consists of exactly these events, in this order.
func (t *logTest) holds(stream string, want ...domain.NewEvent) {
	t.Helper()
	got := t.contents(stream)
	require.Equal(t, ids(want), recordedIDs(got))
	for i, r := range got {
		require.Equal(t, stream, r.Stream)
		require.Equal(t, uint64(i), r.Revision)
		if i > 0 {
			require.Greater(t, r.Position, got[i-1].Position)
		}
	}
}

// conflicts requires that the append is refused, saying that the stream is at actual.
func (t *logTest) conflicts(stream string, expected, actual domain.Expected, events ...domain.NewEvent) {
	t.Helper()
	_, err := t.log.Append(t.ctx, stream, expected, events...)
	require.ErrorIs(t, err, domain.ErrConflict)
	var conflict *domain.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, domain.ConflictError{Stream: stream, Expected: expected, Actual: actual}, *conflict)
}

// repeats requires that the append is answered as a repeat of one that ended at original.
func (t *logTest) repeats(stream string, expected domain.Expected, original domain.Appended, events ...domain.NewEvent) {
	t.Helper()
	again := t.mustAppend(stream, expected, events...)
	require.Equal(t, original.Revision, again.Revision)
	if !t.suite.NoRepeatPosition {
		require.Equal(t, original.Position, again.Position)
	}
}

// end is the position of the newest event of the log, of whatever stream.
func (t *logTest) end() domain.Position {
	t.Helper()
	for r, err := range t.log.ReadAllBackward(t.ctx, domain.EndPosition, domain.Filter{}) {
		require.NoError(t, err)
		return r.Position
	}
	return 0
}

// newEvent returns an event with a fresh id, and content that tells it from others.
func newEvent() domain.NewEvent {
	id := uuid.New()
	return domain.NewEvent{
		ID: id, Type: "suite.happened.v1",
		Data:     fmt.Appendf(nil, `{"id":%q}`, id),
		Metadata: fmt.Appendf(nil, `{"$correlationId":%q}`, id),
	}
}

func newEvents(n int) []domain.NewEvent {
	events := make([]domain.NewEvent, n)
	for i := range events {
		events[i] = newEvent()
	}
	return events
}

func ids(events []domain.NewEvent) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(events))
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

func recordedIDs(events []domain.Recorded) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(events))
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}

// closeScenarios state what Close does, for logs that have it.
var closeScenarios = []scenario{
	{"after Close everything fails with ErrClosed", func(t *logTest) {
		closer, ok := t.log.(io.Closer)
		if !ok {
			return // nothing to state: the log lives as long as the process
		}
		t.seed(t.stream("s"), 1)
		ended := make(chan error, 1)
		live := make(chan struct{})
		go func() {
			var last error
			for d, err := range t.log.Subscribe(t.ctx, 0, t.own()) {
				if last = err; err == nil && d.CaughtUp {
					close(live)
				}
			}
			ended <- last
		}()
		<-live
		require.NoError(t, closer.Close())
		require.ErrorIs(t, <-ended, domain.ErrClosed)
		_, err := t.log.Append(t.ctx, t.stream("s"), 0, newEvent())
		require.ErrorIs(t, err, domain.ErrClosed)
		for _, err := range t.log.ReadStream(t.ctx, t.stream("s"), 0) {
			require.ErrorIs(t, err, domain.ErrClosed)
		}
		require.NoError(t, closer.Close(), "closing again")
	}},
}

// reopenScenarios state what survives a crash or a stop.
var reopenScenarios = []scenario{
	{"acknowledged events, revisions and positions survive", func(t *logTest) {
		events := newEvents(20)
		for i, e := range events {
			t.mustAppend(t.stream("s"), domain.Expected(i-1), e)
		}
		before := t.contents(t.stream("s"))
		t.log = t.suite.Reopen(t.T, t.log)
		require.Equal(t, before, t.contents(t.stream("s")))
		next := newEvent()
		at := t.mustAppend(t.stream("s"), 19, next)
		require.Equal(t, uint64(20), at.Revision)
		require.Greater(t, at.Position, before[19].Position)
		t.holds(t.stream("s"), append(events, next)...)
	}},
	{"repeats of appends are recognised", func(t *logTest) {
		exact, anyRev := newEvents(2), newEvents(2)
		first := t.mustAppend(t.stream("exact"), domain.NoStream, exact...)
		t.mustAppend(t.stream("exact"), 1, newEvent())
		second := t.mustAppend(t.stream("any"), domain.AnyRevision, anyRev...)
		t.mustAppend(t.stream("any"), domain.AnyRevision, newEvent())
		t.log = t.suite.Reopen(t.T, t.log)
		t.repeats(t.stream("exact"), domain.NoStream, first, exact...)
		t.repeats(t.stream("exact"), domain.AnyRevision, first, exact...)
		t.repeats(t.stream("any"), domain.AnyRevision, second, anyRev...)
		t.repeats(t.stream("any"), domain.StreamExists, second, anyRev...)
	}},
	{"a subscription goes on from its last position", func(t *logTest) {
		t.seed(t.stream("a"), 3)
		middle := t.contents(t.stream("a"))[1].Position
		t.log = t.suite.Reopen(t.T, t.log)
		later := newEvent()
		t.mustAppend(t.stream("a"), 2, later)
		got := t.take(t.log.Subscribe(t.ctx, middle, t.own()), 2)
		require.Equal(t, uint64(2), got[0].Revision)
		require.Equal(t, later.ID, got[1].ID)
	}},
}
