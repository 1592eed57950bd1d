package recovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// lateLog acknowledges appends some time after they are written, in any order, and now and then
// fails to say what became of one.
type lateLog struct {
	domain.Log
	mu    sync.Mutex
	r     *rand.Rand
	fails float64
}

var errNoAnswer = errors.New("no answer")

func (l *lateLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.mu.Lock()
	before, after, fails := l.r.IntN(10), l.r.IntN(10), l.r.Float64() < l.fails
	l.mu.Unlock()
	time.Sleep(time.Duration(before) * time.Millisecond)
	at, err := l.Log.Append(ctx, stream, expected, events...)
	time.Sleep(time.Duration(after) * time.Millisecond)
	if fails {
		return domain.Appended{}, errNoAnswer
	}
	return at, err
}

// event returns an event of a run that then waits for what w says.
func event(t *testing.T, w domain.Wake) domain.NewEvent {
	t.Helper()
	meta, err := json.Marshal(map[string]any{"wake": w, "hash": "x"})
	require.NoError(t, err)
	return domain.NewEvent{ID: uuid.New(), Type: "run.paused.v1", Data: []byte(`{}`), Metadata: meta}
}

// folded takes the events after a position into what is known up to there.
func folded(events []domain.Recorded, after domain.Position, known map[domain.RunID]domain.Wake) map[domain.RunID]domain.Wake {
	list := newList(after)
	list.runs = known
	for i := range events {
		if events[i].Position > after {
			list.take(&events[i])
		}
	}
	return list.runs
}

// written returns all events of runs in a log.
func written(t *testing.T, log domain.Log) (events []domain.Recorded) {
	t.Helper()
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		events = append(events, e)
	}
	return events
}

// TestWhatOneAppendsIsWhatTheLogSays: a list that was saved at any moment, and the log after its
// position, come to the same as the whole log, in whatever order appends are acknowledged, and also
// where some are not.
func TestWhatOneAppendsIsWhatTheLogSays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { ownAppends(t, seed) })
		})
	}
}

func ownAppends(t *testing.T, seed uint64) {
	plain := memlog.New()
	_, err := plain.Append(t.Context(), domain.RunStream(uuid.New()), domain.NoStream, event(t, domain.Wake{State: domain.RunRunning}))
	require.NoError(t, err)
	log := &lateLog{Log: plain, r: rand.New(rand.NewPCG(seed, 1)), fails: float64(seed%2) / 500}
	own := &Own{}
	r := New(Config{Log: plain, Logger: slog.New(slog.DiscardHandler), Own: own, CheckpointEvery: 100})
	r.Watch()
	var runs sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer runs.Wait()
	defer stop()
	for i := range 40 {
		runs.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)+2))
			run, expected := uuid.New(), domain.NoStream
			for ctx.Err() == nil {
				w := domain.Wake{State: domain.RunRunning, Busy: rnd.IntN(2) == 0}
				if rnd.IntN(4) == 0 {
					w = domain.Wake{State: domain.RunIsCompleted}
				}
				_, err := own.Append(context.Background(), log, domain.RunStream(run), expected, event(t, w))
				if errors.Is(err, errNoAnswer) || rnd.IntN(5) == 0 {
					run, expected = uuid.New(), domain.NoStream
				} else if expected++; expected < 0 {
					expected = 0
				}
			}
		})
	}
	time.Sleep(time.Duration(seed) * time.Millisecond) // so that the log is read meanwhile
	list, err := r.Start(t.Context())
	require.NoError(t, err)
	for range 20 {
		time.Sleep(7 * time.Millisecond)
		require.NoError(t, r.bringUp(t.Context(), list))
		at, saved, _ := list.copy()
		known := make(map[domain.RunID]domain.Wake)
		for _, l := range saved {
			known[l.Run] = l.Wake
		}
		events := written(t, plain)
		require.True(t, maps.Equal(folded(events, 0, map[domain.RunID]domain.Wake{}), folded(events, at, known)))
	}
	stop()
	runs.Wait()
	require.NoError(t, r.bringUp(t.Context(), list))
	whole := folded(written(t, plain), 0, map[domain.RunID]domain.Wake{})
	require.True(t, maps.Equal(whole, list.runs))
	if seed%2 == 0 {
		require.True(t, own.settle(list), "nothing was unclear, so nothing was read")
		require.Equal(t, own.safe(), list.Position())
	}
}

// TestAnotherWriterIsNoticed: its event comes between this coordinator's own. A start with a key
// that was used before is not another writer.
func TestAnotherWriterIsNoticed(t *testing.T) {
	t.Parallel()
	log, own := memlog.New(), &Own{}
	r := New(Config{Log: log, Logger: slog.New(slog.DiscardHandler), Own: own, CheckpointEvery: 100})
	r.Watch()
	list, err := r.Start(t.Context())
	require.NoError(t, err)
	wait := domain.Wake{State: domain.RunRunning}
	run := domain.RunStream(uuid.New())
	_, err = own.Append(t.Context(), log, run, domain.NoStream, event(t, wait))
	require.NoError(t, err)
	_, err = own.Append(t.Context(), log, run, domain.NoStream, event(t, wait))
	require.ErrorIs(t, err, domain.ErrConflict)
	require.True(t, own.settle(list))

	_, err = log.Append(t.Context(), domain.RunStream(uuid.New()), domain.NoStream, event(t, wait))
	require.NoError(t, err)
	_, err = log.Append(t.Context(), run, 0, event(t, wait))
	require.NoError(t, err)
	_, err = own.Append(t.Context(), log, run, 0, event(t, wait))
	require.ErrorIs(t, err, domain.ErrConflict)
	require.False(t, own.settle(list))
	require.NoError(t, r.bringUp(t.Context(), list))
	require.Equal(t, 2, list.Len(), "what the other one started is found by reading on")
}
