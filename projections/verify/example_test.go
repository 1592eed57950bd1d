package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/verify"
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

// rewritten is a log in which somebody changed an event.
type rewritten struct{ *memlog.Log }

func (l rewritten) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for r, err := range l.Log.ReadStream(ctx, stream, from) {
			r.Data = bytes.ReplaceAll(r.Data, []byte("receipt for 42"), []byte("receipt for 41"))
			if !yield(r, err) {
				return
			}
		}
	}
}

// Each event's hash covers its content and the hash before it.
func ExampleRun() {
	log := memlog.New()
	run := paid(log, "order-1")
	for _, source := range []projections.Source{log, rewritten{log}} {
		v, err := verify.Run(context.Background(), source, run)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(v.Events, "events, whole:", v.OK())
		for _, f := range v.Findings {
			fmt.Println("not as written:", f.Revision, f.Type)
		}
	}
	// Output:
	// 4 events, whole: true
	// 4 events, whole: false
	// not as written: 2 attempt.succeeded.v1
	// not as written: 3 run.completed.v1
}

// An anchor is a signed list of where every chain stood. Kept out of reach of those who can write
// to the log, it shows later that not even the whole history was made anew.
func ExampleAnchor() {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic(err)
	}
	ctx, log := context.Background(), memlog.New()
	paid(log, "order-1")
	now, err := verify.All(ctx, log)
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if err := (&verify.Anchor{Made: time.Now(), Heads: now.Heads}).Write(&file, private); err != nil {
		panic(err)
	}

	anchor, err := verify.ReadAnchor(&file, public)
	if err != nil {
		panic(err)
	}
	another := memlog.New() // a history of the same orders, with hashes that are all in order
	paid(another, "order-1")
	for _, source := range []projections.Source{log, another} {
		v, err := verify.All(ctx, source, anchor)
		fmt.Println(v.OK(), v.Anchored, err)
	}
	// Output:
	// true 1 <nil>
	// false 1 <nil>
}
