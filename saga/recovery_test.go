package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// countingLog counts the events that a search for unfinished runs reads, and may end the search.
type countingLog struct {
	domain.Log
	read atomic.Int64
	cut  atomic.Int64 // after how many events reading fails; 0 for never
}

func (l *countingLog) counts(filter domain.Filter, d domain.Delivery) error {
	if d.Event != nil && slices.Equal(filter.Prefixes, []string{domain.RunPrefix}) {
		if n := l.read.Add(1); l.cut.Load() > 0 && n > l.cut.Load() {
			return errModel
		}
	}
	return nil
}

func (l *countingLog) Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error] {
	return func(yield func(domain.Delivery, error) bool) {
		for d, err := range l.Log.Subscribe(ctx, after, filter) {
			if bad := l.counts(filter, d); bad != nil {
				yield(domain.Delivery{}, bad)
				return
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (l *countingLog) ReadAll(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for e, err := range l.Log.ReadAll(ctx, after, filter) {
			if bad := l.counts(filter, domain.Delivery{Event: &e}); bad != nil {
				yield(domain.Recorded{}, bad)
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// others writes as many events of ended runs, and of unfinished ones, as another coordinator would
// have.
func others(t testing.TB, log domain.Log, ended, unfinished int) (open []domain.RunID) {
	t.Helper()
	end := []byte(`{"at":"2026-01-01T00:00:00Z","wake":{"state":"completed"},"hash":"x"}`)
	wait := []byte(`{"at":"2026-01-01T00:00:00Z","wake":{"state":"running"},"hash":"x"}`)
	for i := range ended + unfinished {
		id, meta := uuid.New(), end
		if i%(ended+unfinished) < unfinished {
			open, meta = append(open, id), wait
		}
		_, err := log.Append(context.Background(), domain.RunStream(id), domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: "run.started.v1", Data: []byte(`{}`), Metadata: meta})
		require.NoError(t, err)
	}
	return open
}

// lives starts a coordinator on the log and stops it, and returns how much it read and how many
// runs it knew.
func lives(t *testing.T, log *countingLog, cfg saga.Config) (read int64, runs int) {
	t.Helper()
	log.read.Store(0)
	ctx, stop := context.WithCancel(context.Background())
	c, ended := launch(t, ctx, log, cfg)
	read, runs = log.read.Load(), c.UnfinishedRuns()
	stop()
	require.NoError(t, <-ended)
	return read, runs
}

// TestOnlyTheFirstStartReadsTheWholeLog: a log written by others is read once, by whoever starts
// first.
func TestOnlyTheFirstStartReadsTheWholeLog(t *testing.T) {
	t.Parallel()
	for _, shared := range []bool{false, true} {
		log := &countingLog{Log: memlog.New()}
		others(t, log, 12_000, 30)
		read, runs := lives(t, log, saga.Config{Shared: shared})
		require.EqualValues(t, 12_030, read)
		require.Equal(t, 30, runs)
		read, runs = lives(t, log, saga.Config{Shared: shared})
		require.Zero(t, read, "shared: %t", shared)
		require.Equal(t, 30, runs)
		others(t, log, 500, 3)
		read, runs = lives(t, log, saga.Config{Shared: shared})
		require.EqualValues(t, 503, read)
		require.Equal(t, 33, runs)
		read, runs = lives(t, log, saga.Config{Shared: shared})
		require.Zero(t, read, "an orderly stop saves what was read")
		require.Equal(t, 33, runs)
	}
}

// TestAnOrderlyStopReadsNothing: what this process appended itself, it knows.
func TestAnOrderlyStopReadsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, memlog.New())
	log := &countingLog{Log: r.log}
	waits := saga.Define("waits", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] { return saga.Await[string](f, "go") })
	does := chain("does", r.act("a"), r.act("b"))
	ctx, stop := context.WithCancel(context.Background())
	c, ended := launch(t, ctx, log, saga.Config{}, waits, does)
	for range 20 {
		_, err := finished(t, start(t, c, does, ""))
		require.NoError(t, err)
		start(t, c, waits, "")
	}
	log.read.Store(0)
	stop()
	require.NoError(t, <-ended)
	require.Zero(t, log.read.Load())

	ctx, stop = context.WithCancel(context.Background())
	c, ended = launch(t, ctx, log, saga.Config{}, waits, does)
	require.Zero(t, log.read.Load(), "and the next start need not read it")
	require.Equal(t, 20, c.UnfinishedRuns())
	stop()
	require.NoError(t, <-ended)
}

// TestAStartThatIsCutShortGoesOn saves now and then while it reads.
func TestAStartThatIsCutShortGoesOn(t *testing.T) {
	t.Parallel()
	log := &countingLog{Log: memlog.New()}
	others(t, log, 5_000, 100)
	cfg := saga.Config{Log: log, CheckpointEvery: 1_000, Logger: quiet}
	log.cut.Store(3_500)
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.ErrorIs(t, c.Run(t.Context()), errModel)
	log.cut.Store(0)
	read, runs := lives(t, log, cfg)
	require.EqualValues(t, 2_100, read)
	require.Equal(t, 100, runs)
}

// recoveryParts returns a checkpoint's events, two runs a part.
func recoveryParts(t *testing.T, id string, at domain.Position, runs []domain.RunID) (parts []domain.NewEvent) {
	t.Helper()
	type run struct {
		Run  domain.RunID `json:"run"`
		Wake domain.Wake  `json:"wake"`
	}
	for part := 0; part*2 < len(runs); part++ {
		var list []run
		for _, r := range runs[part*2 : part*2+2] {
			list = append(list, run{r, domain.Wake{State: domain.RunRunning}})
		}
		p := map[string]any{"position": at, "part": part, "last": part*2+2 == len(runs), "runs": list}
		if id != "" {
			p["id"] = id
		}
		data, err := json.Marshal(p)
		require.NoError(t, err)
		parts = append(parts, domain.NewEvent{Type: "atone.recovery_checkpoint.v1", Data: data})
	}
	return parts
}

// TestPartsOfTwoCheckpointsAreNeverJoined: two nodes save at one position, each in the order of its
// own map; a reader that joined parts of both would forget runs.
func TestPartsOfTwoCheckpointsAreNeverJoined(t *testing.T) {
	t.Parallel()
	for _, ids := range [][2]string{{"one", "two"}, {"", ""}} {
		log := &countingLog{Log: memlog.New()}
		runs := others(t, log, 0, 4)
		at := lastPosition(t, log)
		a := recoveryParts(t, ids[0], at, runs)
		b := recoveryParts(t, ids[1], at, []domain.RunID{runs[2], runs[3], runs[0], runs[1]})
		for _, e := range []domain.NewEvent{a[0], b[0], a[1], b[1]} {
			put(t, log, "atone-recovery", e)
		}
		_, known := lives(t, log, saga.Config{Shared: true})
		require.Equal(t, 4, known, "ids %q", ids)
	}
}

func lastPosition(t *testing.T, log domain.Log) domain.Position {
	t.Helper()
	for e, err := range log.ReadAllBackward(t.Context(), domain.EndPosition, domain.Filter{}) {
		require.NoError(t, err)
		return e.Position
	}
	return 0
}

// TestACheckpointThatCannotBeUsedIsPassedOver for the one before it, or for the log.
func TestACheckpointThatCannotBeUsedIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"no JSON":             `{"`,
		"the end for ever":    `{"position":18446744073709551615,"part":0,"last":true,"runs":[]}`,
		"beyond itself":       `{"position":99999999,"part":0,"last":true,"runs":[]}`,
		"no record there":     `{"position":1,"part":0,"last":true,"runs":[]}`,
		"time of year 10000":  fmt.Sprintf(`{"position":96,"part":0,"last":true,"runs":[{"run":%q,"wake":{"state":"running","due":"10000-01-01T00:00:00Z"}}]}`, uuid.New()),
		"the beginning lacks": `{"position":96,"part":1,"last":true,"runs":[]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, older := range []bool{false, true} {
				log := &countingLog{Log: memlog.New()}
				others(t, log, 50, 4)
				want := int64(54)
				if older {
					read, _ := lives(t, log, saga.Config{})
					require.Equal(t, want, read)
					want = 0
				}
				put(t, log, "atone-recovery", domain.NewEvent{Type: "atone.recovery_checkpoint.v1", Data: []byte(data)})
				read, runs := lives(t, log, saga.Config{})
				require.Equal(t, want, read)
				require.Equal(t, 4, runs)
			}
		})
	}
}
