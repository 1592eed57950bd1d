package saga_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// stuckOrders starts runs that get stuck at the step charge, and waits until they are.
func stuckOrders(c *saga.Coordinator, s *saga.Saga[account, account], emails ...string) (runs []*saga.Run[account]) {
	for _, e := range emails {
		run, err := saga.Start(context.Background(), c, s, account{e}, saga.Labels(map[string]string{"customer": e}))
		if err != nil {
			panic(err)
		}
		_, _ = run.Wait(context.Background()) // *saga.StuckError
		runs = append(runs, run)
	}
	return runs
}

// chargedOrder is a saga whose step charge asks a person when it fails, which it does while down
// says so.
func chargedOrder(down *error) *saga.Saga[account, account] {
	charge := &saga.Action[account, account]{Name: "charge", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(_ context.Context, a account) (account, error) { return a, *down }}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		return saga.Do(f, charge, in.In, saga.OnFail(saga.Ask))
	})
}

// After an outage: everything that it left stuck is tried again, by filter. A dry run shows first
// what would be done.
func ExampleCoordinator_Bulk() {
	down := errors.New("the card service is down")
	s := chargedOrder(&down)
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := saga.WithActor(context.Background(), "kim")
	runs := stuckOrders(c, s, "ada", "bob", "eve")

	down = nil
	req := saga.BulkRequest{Act: saga.BulkRetry, Filter: saga.BulkFilter{Sagas: []string{"order"}, Action: "charge"}, Reason: "it is back", DryRun: true}
	report, err := c.Bulk(ctx, req)
	fmt.Println("would retry", report.Matched, err)
	req.DryRun = false
	report, err = c.Bulk(ctx, req)
	fmt.Println("retried", report.Done, err)
	for _, run := range runs {
		out, err := run.Wait(ctx)
		fmt.Println(out.Email, err)
	}
	// Output:
	// would retry 3 <nil>
	// retried 3 <nil>
	// ada <nil>
	// bob <nil>
	// eve <nil>
}

// The step was done by hand: its output is put in, with the reason, and the run goes on.
func ExampleCoordinator_Substitute() {
	down := errors.New("the card service is down")
	s := chargedOrder(&down)
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := saga.WithActor(context.Background(), "kim")
	run := stuckOrders(c, s, "ada")[0]
	if err := c.Substitute(ctx, run.ID, "charge", []byte(`{"Email": "ada, paid in cash"}`), "paid at the counter"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: {ada, paid in cash} <nil>
}

// The run goes on without the step.
func ExampleCoordinator_Skip() {
	down := errors.New("the card service is down")
	s := chargedOrder(&down)
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := context.Background()
	run := stuckOrders(c, s, "ada")[0]
	if err := c.Skip(ctx, run.ID, "charge", "it was a gift"); err != nil {
		fmt.Println(err)
	}
	out, err := run.Wait(ctx)
	fmt.Printf("%q %v\n", out.Email, err)
	// Output: "" <nil>
}

// A person closes the run with its effects left as they are, and says why.
func ExampleCoordinator_Abandon() {
	down := errors.New("the card service is down")
	s := chargedOrder(&down)
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := saga.WithActor(context.Background(), "kim")
	run := stuckOrders(c, s, "ada")[0]
	if err := c.Abandon(ctx, run.ID, "the customer is gone"); err != nil {
		fmt.Println(err)
	}
	_, err := run.Wait(ctx)
	var abandoned *saga.AbandonedError
	fmt.Println(errors.As(err, &abandoned))
	// Output: true
}

// A paused run starts nothing new until it is resumed. Why says what a run waits for.
func ExampleCoordinator_Pause() {
	s := saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		saga.Await[bool](f, "approved")
		return saga.Do(f, printing("publish", nil), in.In)
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := saga.WithActor(context.Background(), "kim")
	run, _ := saga.Start(ctx, c, s, account{"ada"})
	if err := c.Pause(ctx, run.ID, "legal wants to look"); err != nil {
		fmt.Println(err)
	}
	why, err := c.Why(ctx, run.ID)
	fmt.Println(why.Text, err)
	_ = c.Signal(ctx, run.ID, "approved", true)
	if err := c.Resume(ctx, run.ID, "it is fine"); err != nil {
		fmt.Println(err)
	}
	_, err = run.Wait(ctx)
	fmt.Println(err)
	// Output:
	// paused: legal wants to look; resume it to go on <nil>
	// publish
	// <nil>
}

// What would be undone if the run were cancelled now?
func ExampleCoordinator_PreviewCancel() {
	s := saga.Define("trip", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[string] {
		saga.Do(f, printing("book-flight", nil), in.In)
		saga.Do(f, printing("book-hotel", nil), in.In)
		return saga.Await[string](f, "confirmed")
	})
	log := memlog.New()
	c, stop := running(saga.Config{Log: log}, s)
	defer stop()
	ctx := context.Background()
	run, _ := saga.Start(ctx, c, s, account{"ada"})
	until(log, run.ID, "await.opened.v1") // both are booked
	p, err := c.PreviewCancel(ctx, run.ID)
	for _, step := range p.Steps {
		fmt.Println(step.Do, step.Step)
	}
	fmt.Println("it would end", p.Ends, err)
	// Output:
	// book-flight
	// book-hotel
	// undo book-hotel
	// undo book-flight
	// it would end cancelled <nil>
}

// A run's state at any revision is the fold of its events up to there.
func ExampleFoldAt() {
	log := memlog.New()
	s := saga.Define("greeting", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		return saga.Do(f, printing("greet", nil), in.In)
	})
	c, stop := running(saga.Config{Log: log}, s)
	run, _ := saga.Start(context.Background(), c, s, account{"ada"}, saga.Key("ada"))
	_, _ = run.Wait(context.Background())
	stop()
	for _, revision := range []int64{0, saga.Latest} { // no coordinator is needed
		state, err := saga.FoldAt(context.Background(), log, domain.RunIDForKey("greeting", "ada"), revision)
		if err != nil {
			fmt.Println(err)
			return
		}
		v := explain.Describe(state)
		fmt.Println(v.Revision, v.State, v.Ended.IsZero())
	}
	// Output:
	// greet
	// 0 running true
	// 3 completed false
}

// A deadline turns a run back that takes too long; labels are what lists and bulk operations filter
// by.
func ExampleRunDeadline() {
	s := saga.Define("offer", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[string] {
		saga.Do(f, printing("hold", nil), in.In)
		return saga.Await[string](f, "accepted")
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := context.Background()
	run, err := saga.Start(ctx, c, s, account{"ada"}, saga.RunDeadline(time.Now().Add(50*time.Millisecond)), saga.Labels(map[string]string{"country": "NO"}))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = run.Wait(ctx)
	var undone *saga.CompensatedError
	fmt.Println(errors.As(err, &undone), undone.Cause.Kind)
	// Output:
	// hold
	// undo hold
	// true deadline
}
