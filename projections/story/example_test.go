package story_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
)

type payment struct {
	Amount int    `json:"amount"`
	Card   string `json:"card" atone:"secret"`
}

// paid runs a saga of one step on the log.
func paid(log *memlog.Log, key string) domain.RunID {
	charge := &saga.Action[payment, string]{Name: "charge-card", Effect: saga.NoEffect,
		Do: func(_ context.Context, p payment) (string, error) {
			return fmt.Sprintf("receipt for %d", p.Amount), nil
		}}
	pay := saga.Define("pay", 1, func(f *saga.Flow, p saga.Ref[payment]) saga.Ref[string] { return saga.Do(f, charge, p.In) })
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	if err := c.Register(pay); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	run, err := saga.Start(saga.WithActor(ctx, "ada"), c, pay, payment{42, "4242"}, saga.Key(key))
	if err != nil {
		panic(err)
	}
	_, _ = run.Wait(ctx)
	cancel()
	<-ended
	return run.ID
}

// The audit trail of a run, straight from the log: no view is needed. Secret fields are redacted.
func ExampleTell() {
	log := memlog.New()
	told, err := story.Tell(context.Background(), log, paid(log, "order-1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(told.Saga, told.State)
	for _, row := range told.Lines {
		fmt.Printf("%d %s by %q in %q out %q\n", row.Revision, row.What, row.Actor, row.Input, row.Output)
	}
	// Output:
	// pay completed
	// 0 run.started by "ada" in "{\"amount\":42,\"card\":\"•••\"}" out ""
	// 1 attempt.started by "coordinator" in "{\"amount\":42,\"card\":\"•••\"}" out ""
	// 2 attempt.succeeded by "" in "" out "\"receipt for 42\""
	// 3 run.completed by "coordinator" in "" out "\"receipt for 42\""
}
