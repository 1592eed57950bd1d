package logtest

import (
	"errors"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// concurrencyScenarios state what holds when several writers work at once.
var concurrencyScenarios = []scenario{
	{"of writers racing at one revision exactly one wins", func(t *logTest) {
		const writers, rounds = 8, 15
		s := t.stream("s")
		var won []domain.NewEvent
		for round := range rounds {
			batches := make([][]domain.NewEvent, writers)
			results := t.race(writers, func(w int) error {
				batches[w] = newEvents(2)
				_, err := t.log.Append(t.ctx, s, domain.Expected(2*round-1), batches[w]...)
				return err
			})
			wins := 0
			for w, err := range results {
				if err == nil {
					wins++
					won = append(won, batches[w]...)
					continue
				}
				var conflict *domain.ConflictError
				require.ErrorAs(t, err, &conflict, "a loser gets a conflict")
				require.Equal(t, domain.Expected(2*round+1), conflict.Actual)
			}
			require.Equal(t, 1, wins)
		}
		t.holds(s, won...)
	}},
	{"the same ids sent by several writers at once are one append", func(t *logTest) {
		const writers, rounds = 8, 10
		s := t.stream("s")
		var all []domain.NewEvent
		for round := range rounds {
			batch := newEvents(2)
			all = append(all, batch...)
			answers := make([]domain.Appended, writers)
			for _, err := range t.race(writers, func(w int) (err error) {
				answers[w], err = t.log.Append(t.ctx, s, domain.Expected(2*round-1), batch...)
				return err
			}) {
				require.NoError(t, err)
			}
			for _, a := range answers {
				require.Equal(t, uint64(2*round+1), a.Revision)
			}
		}
		anyBatch := newEvents(3)
		all = append(all, anyBatch...)
		for _, err := range t.race(writers, func(int) error {
			_, err := t.log.Append(t.ctx, s, domain.AnyRevision, anyBatch...)
			return err
		}) {
			require.NoError(t, err)
		}
		t.holds(s, all...)
	}},
	{"a loser that reads again sees what beat it", func(t *logTest) {
		const writers, each = 4, 10
		s := t.stream("counter")
		for _, err := range t.race(writers, func(int) error { return t.appendTimes(s, each) }) {
			require.NoError(t, err)
		}
		require.Len(t, t.contents(s), writers*each)
	}},
	{"writers to different streams do not disturb each other", func(t *logTest) {
		const writers, each = 16, 20
		start := t.end()
		streams := make([]string, writers)
		for w := range streams {
			streams[w] = t.stream(uuid.NewString())
		}
		wrote := make([][]domain.NewEvent, writers)
		for _, err := range t.race(writers, func(w int) error {
			for i := range each {
				batch := newEvents(2)
				at, err := t.log.Append(t.ctx, streams[w], domain.Expected(2*i-1), batch...)
				if err != nil {
					return err
				}
				if at.Revision != uint64(2*i+1) {
					return errors.New("wrong revision in the answer")
				}
				wrote[w] = append(wrote[w], batch...)
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		for w := range writers {
			t.holds(streams[w], wrote[w]...)
		}
		all := t.collect(t.log.ReadAll(t.ctx, start, t.own()))
		require.Len(t, all, writers*each*2)
		for i := 0; i < len(all); i += 2 {
			require.Equal(t, all[i].Stream, all[i+1].Stream, "a batch's events stand together in the whole log")
			require.Equal(t, all[i].Revision+1, all[i+1].Revision)
		}
	}},
	{"readers never see half a batch", func(t *logTest) {
		const batches, size = 60, 5
		s := t.stream("s")
		done := make(chan error, 1)
		go func() {
			for i := range batches {
				if _, err := t.log.Append(t.ctx, s, domain.Expected(i*size-1), newEvents(size)...); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for finished := false; !finished; {
			select {
			case err := <-done:
				require.NoError(t, err)
				finished = true
			default:
			}
			for r, err := range t.log.ReadStreamBackward(t.ctx, s, domain.End) {
				require.NoError(t, err)
				require.Equal(t, uint64(size-1), r.Revision%size, "the stream ended inside a batch")
				break
			}
		}
		require.Len(t, t.contents(s), batches*size)
	}},
}

// appendTimes appends n single events as a coordinator would: read the head, append
// there, and on a conflict read again. A head that lags behind the conflict that it caused
// would let it spin, so each conflict must be followed by progress.
func (t *logTest) appendTimes(stream string, n int) error {
	floor := domain.NoStream
	for done := 0; done < n; {
		head := domain.NoStream
		for r, err := range t.log.ReadStreamBackward(t.ctx, stream, domain.End) {
			if err != nil {
				return err
			}
			head = domain.Expected(r.Revision)
			break
		}
		if head < floor {
			return errors.New("a read after a conflict or an append shows less than that told")
		}
		at, err := t.log.Append(t.ctx, stream, head, newEvent())
		var conflict *domain.ConflictError
		switch {
		case err == nil:
			done++
			floor = domain.Expected(at.Revision)
		case errors.As(err, &conflict):
			floor = conflict.Actual
		default:
			return err
		}
	}
	return nil
}
