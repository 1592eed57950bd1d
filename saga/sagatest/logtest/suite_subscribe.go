package logtest

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// subscribeScenarios state what a subscription delivers.
var subscribeScenarios = []scenario{
	{"stored events first, then word that it caught up, then each new one", func(t *logTest) {
		stored := t.seed(t.stream("a"), 5)
		next, stop := iter.Pull2(t.log.Subscribe(t.ctx, 0, t.own()))
		defer stop()
		var got []domain.Recorded
		for caughtUp := false; !caughtUp; {
			d, err, ok := next()
			require.True(t, ok)
			require.NoError(t, err)
			caughtUp = d.CaughtUp
			if d.Event != nil {
				require.Equal(t, d.Event.Position, d.Position)
				got = append(got, *d.Event)
			}
		}
		require.Equal(t, t.contents(t.stream("a")), got)
		require.Equal(t, ids(stored), recordedIDs(got))
		for i := range 5 {
			e := newEvent()
			t.mustAppend(t.stream("b"), domain.Expected(i-1), e)
			for {
				d, err, ok := next()
				require.True(t, ok)
				require.NoError(t, err)
				if d.Event != nil {
					require.Equal(t, e.ID, d.Event.ID)
					require.Equal(t, uint64(i), d.Event.Revision)
					break
				}
			}
		}
	}},
	{"begins after the position, exclusive", func(t *logTest) {
		t.seed(t.stream("s"), 6)
		all := t.contents(t.stream("s"))
		got := t.take(t.log.Subscribe(t.ctx, all[2].Position, t.own()), 3)
		require.Equal(t, all[3:], got)
	}},
	{"on an empty selection catches up at once", func(t *logTest) {
		for d, err := range t.log.Subscribe(t.ctx, t.end(), t.own()) {
			require.NoError(t, err)
			require.Nil(t, d.Event)
			if d.CaughtUp {
				return
			}
		}
		require.Fail(t, "the subscription ended")
	}},
	{"no gap and no duplicate while writers write", func(t *logTest) {
		const writers, each, subscribers = 4, 60, 4
		t.seed(t.stream("before"), 50)
		total := 50 + writers*each*2
		got := make([][]domain.Recorded, subscribers)
		var wg sync.WaitGroup
		for i := range subscribers {
			wg.Go(func() { got[i] = t.take(t.log.Subscribe(t.ctx, 0, t.own()), total) })
		}
		for _, err := range t.race(writers, func(w int) error {
			for range each {
				if _, err := t.log.Append(t.ctx, t.stream(string(rune('a'+w))), domain.AnyRevision, newEvents(2)...); err != nil {
					return err
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		wg.Wait()
		want := t.collect(t.log.ReadAll(t.ctx, 0, t.own()))
		require.Len(t, want, total)
		for i := range subscribers {
			require.Equal(t, want, got[i])
		}
	}},
	{"may be broken off and resumed anywhere", func(t *logTest) {
		const total = 120
		written := make(chan error, 1)
		go func() {
			for i := range total {
				if _, err := t.log.Append(t.ctx, t.stream("s"), domain.Expected(i-1), newEvent()); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		var got []domain.Recorded
		var at domain.Position
		for n := 1; len(got) < total; n = n%7 + 1 {
			for d, err := range t.log.Subscribe(t.ctx, at, t.own()) {
				require.NoError(t, err)
				require.GreaterOrEqual(t, d.Position, at)
				at = d.Position
				if d.Event != nil {
					got = append(got, *d.Event)
				}
				if n--; n <= 0 || len(got) == total {
					break
				}
			}
		}
		require.NoError(t, <-written)
		require.Equal(t, t.contents(t.stream("s")), got)
	}},
	{"a subscriber that does not read holds up no writer", func(t *logTest) {
		next, stop := iter.Pull2(t.log.Subscribe(t.ctx, 0, t.own()))
		defer stop()
		first := t.seed(t.stream("s"), 1)[0]
		d, err, _ := next()
		for ; err == nil && d.Event == nil; d, err, _ = next() {
		}
		require.NoError(t, err)
		require.Equal(t, first.ID, d.Event.ID)
		var want []domain.NewEvent
		for i := range 40 { // the subscriber is now asleep inside its own code
			batch := newEvents(50)
			t.mustAppend(t.stream("s"), domain.Expected(i*50), batch...)
			want = append(want, batch...)
		}
		var got []domain.NewEvent
		for len(got) < len(want) {
			d, err, ok := next()
			require.True(t, ok)
			require.NoError(t, err)
			if d.Event != nil {
				got = append(got, d.Event.NewEvent)
			}
		}
		require.Equal(t, ids(want), ids(got))
	}},
	{"a filter leaves out, and tells from time to time how far it looked", func(t *logTest) {
		start := t.end()
		next, stop := iter.Pull2(t.log.Subscribe(t.ctx, start, t.prefixes("wanted")))
		defer stop()
		for {
			d, err, ok := next()
			require.True(t, ok)
			require.NoError(t, err)
			require.Nil(t, d.Event)
			if d.CaughtUp {
				break
			}
		}
		var end domain.Position
		for i := range 20 {
			end = t.mustAppend(t.stream("other"), domain.Expected(i*100-1), newEvents(100)...).Position
		}
		d, err, _ := next()
		require.NoError(t, err)
		require.Nil(t, d.Event, "an event of another stream was delivered")
		require.Greater(t, d.Position, start)
		require.LessOrEqual(t, d.Position, t.end())
		wanted := t.seed(t.stream("wanted"), 1)[0]
		for ; err == nil && d.Event == nil; d, err, _ = next() {
		}
		require.NoError(t, err)
		require.Equal(t, wanted.ID, d.Event.ID)
		require.Greater(t, d.Position, end)
	}},
	{"a filter's checkpoints come during the catch-up too, and may be resumed after", func(t *logTest) {
		start := t.end()
		for i := range 20 {
			t.mustAppend(t.stream("other"), domain.Expected(i*100-1), newEvents(100)...)
		}
		wanted := t.seed(t.stream("wanted"), 3)
		var checkpoint domain.Position
		for d, err := range t.log.Subscribe(t.ctx, start, t.prefixes("wanted")) {
			require.NoError(t, err)
			require.Nil(t, d.Event, "no word of the 2,000 events that the filter left out")
			checkpoint = d.Position
			break
		}
		require.Greater(t, checkpoint, start)
		got := t.take(t.log.Subscribe(t.ctx, checkpoint, t.prefixes("wanted")), 3)
		require.Equal(t, ids(wanted), recordedIDs(got))
	}},
	{"without a match its position goes neither backward nor where no event can be", func(t *logTest) {
		t.seed(t.stream("other"), 2)
		for _, start := range []domain.Position{0, t.end()} {
			at := start
			name := fmt.Sprintf("wanted-%d", start)
			for d, err := range t.log.Subscribe(t.ctx, start, t.prefixes(name)) {
				require.NoError(t, err)
				require.GreaterOrEqual(t, d.Position, at)
				require.LessOrEqual(t, d.Position, t.end(), "past the log's end")
				if at = d.Position; d.CaughtUp {
					break
				}
			}
			wanted := t.seed(t.stream(name), 1)
			got := t.take(t.log.Subscribe(t.ctx, at, t.prefixes(name)), 1)
			require.Equal(t, ids(wanted), recordedIDs(got), "resumed after the position that it told")
		}
	}},
	{"ends with the context's error", func(t *logTest) {
		ctx, cancel := context.WithCancel(t.ctx)
		defer cancel()
		t.seed(t.stream("s"), 2)
		var last error
		for d, err := range t.log.Subscribe(ctx, 0, t.own()) {
			last = err
			if err == nil && d.CaughtUp {
				cancel() // it now waits for events that never come
			}
		}
		require.ErrorIs(t, last, context.Canceled)
	}},
}
