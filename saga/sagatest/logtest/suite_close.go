package logtest

import (
	"io"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

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
