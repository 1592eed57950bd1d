package logtest

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// logTest is what one scenario works with: a log, and stream names that are its own.
type logTest struct {
	*testing.T
	suite Suite
	log   domain.Log
	ctx   context.Context
	// prefix begins the names of all streams of this scenario and of no other's.
	prefix string
}

func newLogTest(t *testing.T, s Suite) *logTest {
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

// take reads a subscription until it delivered n events, and breaks off. It is called from
// other goroutines too, so a failure shows as a short result.
func (t *logTest) take(seq iter.Seq2[domain.Delivery, error], n int) []domain.Recorded {
	var got []domain.Recorded
	for d, err := range seq {
		if err != nil {
			t.Errorf("subscription ended after %d of %d events: %v", len(got), n, err)
			return got
		}
		if d.Event != nil {
			if got = append(got, *d.Event); len(got) == n {
				return got
			}
		}
	}
	t.Errorf("subscription ended after %d of %d events", len(got), n)
	return got
}

// race runs the function for 0 to n-1 at once and returns what each returned.
func (t *logTest) race(n int, run func(i int) error) []error {
	t.Helper()
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = run(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// prefixes is a filter on the scenario's streams whose names begin so.
func (t *logTest) prefixes(names ...string) domain.Filter {
	var f domain.Filter
	for _, n := range names {
		f.Prefixes = append(f.Prefixes, t.stream(n))
	}
	return f
}
