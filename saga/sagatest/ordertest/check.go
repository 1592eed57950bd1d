package ordertest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// How many call at once, how often each does, and how many runs they share.
const (
	clients = 8
	rounds  = 30
	keys    = 6
)

// limit bounds the whole, the search for an order included.
const limit = 2 * time.Minute

// gathered awaits three signals, and returns what they said, in the order in which they came.
var gathered = saga.Define("gathered", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[[]string] {
	first := saga.Await[string](f, "said", saga.Name("first"))
	second := saga.Await[string](f, "said", saga.Name("second"))
	third := saga.Await[string](f, "said", saga.Name("third"))
	return saga.Compute(f, "together", func(v saga.Scope) []string {
		return []string{in.In(v), first.In(v), second.In(v), third.In(v)}
	})
})

// wanted is how many signals a run awaits.
const wanted = 3

// Check runs one coordinator over each log, all of which are the same one, and fails the test if
// no order of its callers' calls explains what they were answered. The logs must be empty. They are
// the caller's to close, after the test's cleanup has ended the coordinators.
func Check(t testing.TB, logs ...domain.Log) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	var nodes []*saga.Coordinator
	for i, log := range logs {
		nodes = append(nodes, begin(ctx, t, saga.Config{Log: log, Node: fmt.Sprint("node-", i), Shared: len(logs) > 1}))
	}
	h := &history{begun: time.Now()}
	var all sync.WaitGroup
	failed := make(chan error, clients)
	for client := range clients {
		all.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(client), 11))
			for n := range rounds {
				if err := h.make(ctx, nodes[draw.IntN(len(nodes))], client, drawn(draw, client, n)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	// Whatever is not there yet comes now, and each run is asked for what it returned.
	for k := range keys {
		key := fmt.Sprint("k", k)
		last := []call{{what: start, key: key, text: inputs[0]}}
		for n := range wanted {
			last = append(last, call{what: signal, key: key, text: "last", id: fmt.Sprint("last-", n)})
		}
		for _, in := range append(last, call{what: wait, key: key}) {
			require.NoError(t, h.make(ctx, nodes[k%len(nodes)], 0, in))
		}
	}
	result, _ := porcupine.CheckOperationsVerbose(runModel, h.calls, limit)
	require.Equal(t, porcupine.Ok, result, "no order of these calls explains the answers:\n%s", h)
}

func begin(ctx context.Context, t testing.TB, cfg saga.Config) *saga.Coordinator {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	c, err := saga.New(cfg)
	require.NoError(t, err)
	require.NoError(t, c.Register(gathered))
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(running) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	select {
	case <-c.Ready():
	case err := <-ended:
		require.FailNow(t, "the coordinator ended", "%v", err)
	}
	return c
}
