package logtest

import (
	"context"
	"iter"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// readScenarios state what reads yield, in which order, and how they end.
var readScenarios = []scenario{
	{"a stream that does not exist yields nothing", func(t *logTest) {
		missing := t.stream("missing")
		for _, from := range []uint64{0, 7, domain.End} {
			require.Empty(t, t.collect(t.log.ReadStream(t.ctx, missing, from)))
			require.Empty(t, t.collect(t.log.ReadStreamBackward(t.ctx, missing, from)))
		}
	}},
	{"a stream forward from a revision, inclusive", func(t *logTest) {
		s := t.stream("s")
		t.seed(t.stream("r"), 2)
		events := t.seedBatches(s, 3, 1, 4, 2)
		t.seed(s+"x", 2) // a stream whose name begins like this one's
		for from := range events {
			require.Equal(t, ids(events[from:]), recordedIDs(t.collect(t.log.ReadStream(t.ctx, s, uint64(from)))))
		}
		for _, past := range []uint64{uint64(len(events)), uint64(len(events)) + 5, 1 << 60} {
			require.Empty(t, t.collect(t.log.ReadStream(t.ctx, s, past)))
		}
	}},
	{"a stream backward from a revision, inclusive", func(t *logTest) {
		s := t.stream("s")
		t.seed(t.stream("r"), 2)
		events := t.seedBatches(s, 3, 1, 4, 2)
		t.seed(s+"x", 2)
		newestFirst := slices.Clone(ids(events))
		slices.Reverse(newestFirst)
		last := len(events) - 1
		for from := range events {
			got := t.collect(t.log.ReadStreamBackward(t.ctx, s, uint64(from)))
			require.Equal(t, newestFirst[last-from:], recordedIDs(got))
			require.Equal(t, uint64(from), got[0].Revision)
		}
		require.Equal(t, newestFirst, recordedIDs(t.collect(t.log.ReadStreamBackward(t.ctx, s, domain.End))))
		require.Equal(t, newestFirst, recordedIDs(t.collect(t.log.ReadStreamBackward(t.ctx, s, uint64(last)+9))))
	}},
	{"the whole log forward after a position, exclusive", func(t *logTest) {
		want := t.seedInterleaved()
		all := t.collect(t.log.ReadAll(t.ctx, 0, t.own()))
		require.Equal(t, ids(want), recordedIDs(all))
		for i, r := range all {
			if i > 0 {
				require.Greater(t, r.Position, all[i-1].Position)
			}
			require.Equal(t, recordedIDs(all[i+1:]), recordedIDs(t.collect(t.log.ReadAll(t.ctx, r.Position, t.own()))))
		}
		require.Empty(t, t.collect(t.log.ReadAll(t.ctx, all[len(all)-1].Position, t.own())))
	}},
	{"the whole log backward before a position, exclusive", func(t *logTest) {
		want := t.seedInterleaved()
		slices.Reverse(want)
		all := t.collect(t.log.ReadAllBackward(t.ctx, domain.EndPosition, t.own()))
		require.Equal(t, ids(want), recordedIDs(all))
		for i, r := range all {
			require.Equal(t, recordedIDs(all[i+1:]), recordedIDs(t.collect(t.log.ReadAllBackward(t.ctx, r.Position, t.own()))))
		}
		require.Empty(t, t.collect(t.log.ReadAllBackward(t.ctx, 0, t.own())))
	}},
	{"without a filter everything is there, in one order", func(t *logTest) {
		start := t.end()
		t.seedInterleaved()
		filtered := t.collect(t.log.ReadAll(t.ctx, start, t.own()))
		var unfiltered []domain.Recorded
		for r, err := range t.log.ReadAll(t.ctx, start, domain.Filter{}) {
			require.NoError(t, err)
			if t.own().Accepts(r.Stream) {
				unfiltered = append(unfiltered, r)
			}
		}
		require.Equal(t, filtered, unfiltered)
	}},
	{"a filter selects by any of its prefixes", func(t *logTest) {
		a, b, c := t.seed(t.stream("alpha-1"), 2), t.seed(t.stream("beta-1"), 2), t.seed(t.stream("gamma-1"), 1)
		more := t.seed(t.stream("alpha-2"), 1)
		got := t.collect(t.log.ReadAll(t.ctx, 0, t.prefixes("alpha-", "gamma")))
		require.Equal(t, slices.Concat(ids(a), ids(c), ids(more)), recordedIDs(got))
		got = t.collect(t.log.ReadAll(t.ctx, 0, t.prefixes("beta-1")))
		require.Equal(t, ids(b), recordedIDs(got))
		require.Empty(t, t.collect(t.log.ReadAll(t.ctx, 0, t.prefixes("delta"))))
		got = t.collect(t.log.ReadAllBackward(t.ctx, domain.EndPosition, t.prefixes("alpha-2", "beta-")))
		slices.Reverse(got)
		require.Equal(t, slices.Concat(ids(b), ids(more)), recordedIDs(got))
	}},
	{"stream and log tell the same of an event", func(t *logTest) {
		t.seed(t.stream("s"), 3)
		require.Equal(t, t.contents(t.stream("s")), t.collect(t.log.ReadAll(t.ctx, 0, t.prefixes("s"))))
		backward := t.collect(t.log.ReadStreamBackward(t.ctx, t.stream("s"), domain.End))
		slices.Reverse(backward)
		require.Equal(t, t.contents(t.stream("s")), backward)
	}},
	{"breaking out ends a read at once, and it can be repeated", func(t *logTest) {
		s := t.stream("s")
		events := t.seed(s, 300)
		forward := t.log.ReadStream(t.ctx, s, 0)
		for range 2 {
			require.Equal(t, ids(events[:7]), recordedIDs(t.first(forward, 7)))
		}
		require.Equal(t, events[299].ID, t.first(t.log.ReadStreamBackward(t.ctx, s, domain.End), 1)[0].ID)
		require.Equal(t, ids(events[:3]), recordedIDs(t.first(t.log.ReadAll(t.ctx, 0, t.own()), 3)))
		require.Equal(t, events[299].ID, t.first(t.log.ReadAllBackward(t.ctx, domain.EndPosition, t.own()), 1)[0].ID)
		t.mustAppend(s, 299, newEvent())
	}},
	{"a long stream is read whole", func(t *logTest) {
		s := t.stream("s")
		var events []domain.NewEvent
		for len(events) < 2000 {
			batch := newEvents(100)
			t.mustAppend(s, domain.Expected(len(events)-1), batch...)
			t.mustAppend(t.stream("noise"), domain.AnyRevision, newEvent())
			events = append(events, batch...)
		}
		t.holds(s, events...)
		require.Len(t, t.collect(t.log.ReadAll(t.ctx, 0, t.own())), 2020)
		require.Len(t, t.collect(t.log.ReadAllBackward(t.ctx, domain.EndPosition, t.own())), 2020)
	}},
	{"an event is readable as soon as its append returned", func(t *logTest) {
		s := t.stream("s")
		before := t.mustAppend(t.stream("r"), domain.NoStream, newEvent()).Position
		for i := range 30 {
			e := newEvent()
			at := t.mustAppend(s, domain.Expected(i-1), e)
			require.Equal(t, e.ID, t.first(t.log.ReadStreamBackward(t.ctx, s, domain.End), 1)[0].ID)
			require.Equal(t, e.ID, t.first(t.log.ReadStream(t.ctx, s, uint64(i)), 1)[0].ID)
			require.Equal(t, e.ID, t.first(t.log.ReadAll(t.ctx, before, t.own()), 1)[0].ID)
			before = at.Position
		}
	}},
	{"a position that the log gave may be given back, whoever's event has it", func(t *logTest) {
		first := t.seed(t.stream("mine"), 1)
		at := t.mustAppend(t.stream("other"), domain.NoStream, newEvents(3)...).Position
		second := t.mustAppend(t.stream("mine"), 0, newEvent()).Position
		mine := t.prefixes("mine")
		require.Equal(t, second, t.collect(t.log.ReadAll(t.ctx, at, mine))[0].Position)
		require.Equal(t, ids(first), recordedIDs(t.collect(t.log.ReadAllBackward(t.ctx, at, mine))))
		require.Equal(t, second, t.take(t.log.Subscribe(t.ctx, at, mine), 1)[0].Position)
		require.Empty(t, t.collect(t.log.ReadAll(t.ctx, domain.EndPosition, mine)))
	}},
	{"with an ended context a read yields its error", func(t *logTest) {
		t.seed(t.stream("s"), 2)
		ctx, cancel := context.WithCancel(t.ctx)
		cancel()
		for name, seq := range map[string]iter.Seq2[domain.Recorded, error]{
			"stream": t.log.ReadStream(ctx, t.stream("s"), 0), "stream backward": t.log.ReadStreamBackward(ctx, t.stream("s"), domain.End),
			"all": t.log.ReadAll(ctx, 0, t.own()), "all backward": t.log.ReadAllBackward(ctx, domain.EndPosition, t.own()),
		} {
			var last error
			for _, err := range seq {
				last = err
			}
			require.ErrorIs(t, last, context.Canceled, name)
		}
	}},
}

// first reads at most n events and breaks off.
func (t *logTest) first(seq iter.Seq2[domain.Recorded, error], n int) []domain.Recorded {
	t.Helper()
	var got []domain.Recorded
	for r, err := range seq {
		require.NoError(t, err)
		if got = append(got, r); len(got) == n {
			break
		}
	}
	require.Len(t, got, n)
	return got
}

// seedBatches appends batches of these sizes to the stream and returns all events.
func (t *logTest) seedBatches(stream string, sizes ...int) []domain.NewEvent {
	t.Helper()
	var all []domain.NewEvent
	for _, n := range sizes {
		batch := newEvents(n)
		t.mustAppend(stream, domain.Expected(len(all)-1), batch...)
		all = append(all, batch...)
	}
	return all
}

// seedInterleaved writes batches to several streams in turn and returns the events in the
// order of the log.
func (t *logTest) seedInterleaved() []domain.NewEvent {
	t.Helper()
	var all []domain.NewEvent
	for i := range 4 {
		for _, name := range []string{"a", "b", "c"} {
			batch := newEvents(1 + i%2)
			t.mustAppend(t.stream(name), domain.AnyRevision, batch...)
			all = append(all, batch...)
		}
	}
	return all
}
