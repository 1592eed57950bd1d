package projections_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
)

// failuresByStep is a view of one's own: how often each step failed.
var failuresByStep = projections.View{
	Name:    "failures",
	Version: 1, // raise it when the tables or Apply change: the view is then rebuilt
	Tables: []projections.Table{{
		Name:    "failures",
		Columns: []projections.Column{{Name: "step", Type: projections.Text}, {Name: "n", Type: projections.Int}},
		Key:     []string{"step"},
	}},
	New: func() projections.Applier {
		return projections.ApplyFunc(func(ctx context.Context, tx projections.Tx, events []projections.Event) error {
			for _, e := range events {
				failed, ok := e.Event.(*domain.AttemptFailed)
				if !ok {
					continue
				}
				rows, err := tx.Select(ctx, projections.Query{Table: "failures", Where: []projections.Cond{projections.Eq("step", failed.Step)}})
				if err != nil {
					return err
				}
				n := int64(1)
				if len(rows) > 0 {
					n += rows[0][1].(int64)
				}
				if err := tx.Put(ctx, "failures", projections.Row{failed.Step, n}); err != nil {
					return err
				}
			}
			return nil
		})
	},
}

func Example_ownView() {
	ctx, stop := context.WithCancel(context.Background())
	log := memlog.New() // any log
	dir, _ := os.MkdirTemp("", "views")
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := sqlite.Open(sqlite.Config{Dir: dir})
	if err != nil {
		panic(err)
	}
	runner, err := runner.New(runner.Config{Source: log, Store: store, Views: []projections.View{failuresByStep}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()

	last := failTwice(ctx, log)
	page, err := runner.Reader().Rows(ctx, &failuresByStep, projections.Query{Table: "failures"}, projections.Fresh{AtLeast: last, Wait: time.Minute})
	fmt.Println(page.Rows, err)
	stop()
	fmt.Println(<-ended, store.Close())
	// Output:
	// [[charge 2]] <nil>
	// <nil> <nil>
}

// failTwice stands for a coordinator at work.
func failTwice(ctx context.Context, log domain.Log) domain.Position {
	run := domain.RunIDForKey("order", "1")
	var events []domain.NewEvent
	var hash domain.ChainHash
	for i, e := range []domain.Event{
		&domain.RunStarted{Saga: "order", Version: 1},
		&domain.AttemptFailed{Step: "charge", Direction: domain.Do, Attempt: 1},
		&domain.AttemptFailed{Step: "charge", Direction: domain.Do, Attempt: 2},
	} {
		var sealed domain.NewEvent
		sealed, hash = domain.Seal(domain.RunStream(run), uint64(i), hash, e, domain.Meta{At: time.Now()})
		events = append(events, sealed)
	}
	done, err := log.Append(ctx, domain.RunStream(run), domain.NoStream, events...)
	if err != nil {
		panic(err)
	}
	return done.Position
}
