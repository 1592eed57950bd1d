package eventstoredb_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/saga"
)

// toldSink is a sink that hands on the runs that it is told of.
type toldSink struct{ runs chan saga.Alert }

func (s toldSink) Alert(ctx context.Context, a saga.Alert) error {
	select {
	case s.runs <- a:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestProcessesTellAnIncidentOnce has two coordinators share a served log, and restarts both.
// Alerts come in the order of the log, so one that was told again would come before the last.
func TestProcessesTellAnIncidentOnce(t *testing.T) {
	t.Parallel()
	_, direct := onDisk(t, filepath.Join(t.TempDir(), "log"))
	fails := &saga.Action[string, string]{Name: "fails", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(context.Context, string) (string, error) {
			return "", saga.Permanent(errors.New("the bank is away"))
		}}
	stuck := saga.Define("stuck", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, fails, in.In, saga.OnFail(saga.Ask))
	})
	to := toldSink{make(chan saga.Alert, 100)}
	// both runs two coordinators while f does.
	both := func(f func(one, two *saga.Coordinator)) {
		var nodes []*saga.Coordinator
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var all sync.WaitGroup
		for _, name := range []string{"one", "two"} {
			log, err := eventstoredb.Open(eventstoredb.Config{Connection: direct, Logger: silent})
			require.NoError(t, err)
			c, err := saga.New(saga.Config{Log: log, Logger: silent, Node: name, Shared: true, Alerts: []saga.AlertSink{to}})
			require.NoError(t, err)
			require.NoError(t, c.Register(stuck))
			all.Go(func() {
				if err := errors.Join(c.Run(ctx), log.Close()); err != nil {
					t.Errorf("node %s: %v", name, err)
				}
			})
			<-c.Ready()
			nodes = append(nodes, c)
		}
		f(nodes[0], nodes[1])
		cancel()
		all.Wait()
	}
	start := func(c *saga.Coordinator) string {
		run, err := saga.Start(t.Context(), c, stuck, "")
		require.NoError(t, err)
		return run.ID.String()
	}
	var runs, heard []string
	hear := func() { heard = append(heard, (<-to.runs).Run.String()) }
	both(func(one, two *saga.Coordinator) {
		for _, c := range []*saga.Coordinator{one, two, one, two} {
			runs = append(runs, start(c))
			hear()
		}
	})
	both(func(_, two *saga.Coordinator) {
		runs = append(runs, start(two))
		hear()
	})
	require.Equal(t, runs, heard)
	require.Empty(t, to.runs)
}
