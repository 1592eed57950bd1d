package saga_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// An action hands the attempt's key to what it calls, so that an attempt that is made again has its
// effect once. When an answer is lost, the probe finds out what became of the request.
func ExampleAction() {
	booked := map[string]string{} // the airline's side: bookings by key
	book := &saga.Action[string, string]{
		Name: "book-flight",
		Do: func(ctx context.Context, to string) (string, error) {
			booked[saga.AttemptOf(ctx).Key] = to
			// After the request was sent.
			return "", saga.InDoubt(errors.New("the connection broke"))
		},
		Probe: func(ctx context.Context, to string) (saga.Probed[string], error) {
			if booked[saga.AttemptOf(ctx).Key] == "" {
				return saga.NotApplied[string](), nil // it is tried again
			}
			return saga.Applied("flight to " + to), nil
		},
		Undo: func(ctx context.Context, did saga.Did[string, string]) error {
			fmt.Println("cancel", did.Output, "- in doubt:", did.InDoubt, "- because of", did.Cause)
			return nil
		},
		Retry:   saga.Retry{MaxAttempts: 5, Initial: time.Millisecond, Max: time.Second},
		Timeout: 10 * time.Second,
	}
	trip := saga.Define("trip", 1, func(f *saga.Flow, to saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, book, to.In)
	})
	c, stop := running(saga.Config{}, trip)
	defer stop()
	run, _ := saga.Start(context.Background(), c, trip, "Oslo")
	fmt.Println(run.Wait(context.Background()))
	// Output: flight to Oslo <nil>
}

// A card that was refused is refused tomorrow as well: no retry helps, and the run turns back at
// once.
func ExamplePermanent() {
	attempts := 0
	charge := &saga.Action[int, saga.None]{Name: "charge", Effect: saga.NoEffect, Do: func(context.Context, int) (saga.None, error) {
		attempts++
		return saga.None{}, saga.Permanent(errors.New("card refused"))
	}}
	c, stop := running(saga.Config{}, saga.Define("pay", 1, func(f *saga.Flow, amount saga.Ref[int]) saga.Ref[saga.None] {
		return saga.Do(f, charge, amount.In)
	}))
	defer stop()
	_, err := saga.Invoke(context.Background(), c, charge, 42)
	var undone *saga.CompensatedError
	fmt.Println(errors.As(err, &undone), undone.Cause, "- attempts:", attempts)
	// Output: true charge: card refused - attempts: 1
}

// What is called knows best when to come back.
func ExampleRetryAfter() {
	attempts := 0
	call := &saga.Action[string, int]{Name: "call-api", Effect: saga.NoEffect, Retry: saga.Retry{Initial: time.Hour},
		Do: func(context.Context, string) (int, error) {
			if attempts++; attempts == 1 {
				// Instead of an hour.
				return 0, saga.RetryAfter(time.Millisecond, errors.New("429 Too Many Requests"))
			}
			return attempts, nil
		}}
	c, stop := running(saga.Config{}, saga.Define("api", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[int] {
		return saga.Do(f, call, in.In)
	}))
	defer stop()
	fmt.Println(saga.Invoke(context.Background(), c, call, "hello"))
	// Output: 2 <nil>
}

// A handler sees what it is called for, and logs with the run, step and attempt attached.
func ExampleAttemptOf() {
	greet := &saga.Action[string, string]{Name: "greet", Effect: saga.NoEffect, Do: func(ctx context.Context, name string) (string, error) {
		a := saga.AttemptOf(ctx)
		saga.Logger(ctx).Info("greeting", "name", name)
		return fmt.Sprintf("%s of %s: attempt %d, the key ends in %s", a.Step, a.Saga, a.Number, a.Key[len(a.Run.String()):]), nil
	}}
	c, stop := running(saga.Config{}, saga.Define("welcome", 1, func(f *saga.Flow, name saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, greet, name.In, saga.Name("say-hello"))
	}))
	defer stop()
	id, _ := c.StartByName(context.Background(), "welcome", 1, []byte(`"Ada"`))
	out, err := c.Wait(context.Background(), id)
	fmt.Println(string(out), err)
	// Output: "say-hello of welcome: attempt 1, the key ends in /say-hello/do" <nil>
}

// A failure handler is told what failed and what became of the rest. It is an action: durable and
// retried.
func ExampleOnFailure() {
	told := make(chan saga.Failed, 1)
	tell := &saga.Action[saga.Failed, saga.None]{Name: "tell-sales", Effect: saga.NoEffect, Do: func(_ context.Context, f saga.Failed) (saga.None, error) {
		told <- f
		return saga.None{}, nil
	}}
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		reserved := saga.Do(f, printing("reserve", nil), in.In)
		return saga.Do(f, printing("charge", saga.Permanent(errors.New("card refused"))), reserved.In)
	}, saga.OnFailure(tell))
	c, stop := running(saga.Config{}, s)
	defer stop()
	_, _ = saga.Start(context.Background(), c, s, account{"ada"})
	f := <-told
	fmt.Println(f.Saga, "failed at", f.Step+f.Cause.Step, "with", f.Cause.Message, "- undone:", f.Undone, "- left:", f.NotUndone)
	// Output:
	// reserve
	// undo reserve
	// order failed at charge with card refused - undone: [reserve] - left: []
}

// Compute records a value of the author's own code, such as a date: a replay never computes it
// again.
func ExampleCompute() {
	s := saga.Define("quote", 1, func(f *saga.Flow, words saga.Ref[[]string]) saga.Ref[string] {
		price := saga.Compute(f, "price", func(v saga.Scope) int { return 3 * len(words.In(v)) })
		return saga.Return(f, func(v saga.Scope) string { return fmt.Sprintf("%d euros", price.In(v)) })
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	run, _ := saga.Start(context.Background(), c, s, []string{"atomic", "actions"})
	fmt.Println(run.Wait(context.Background()))
	// Output: 6 euros <nil>
}

// Workers may be processes of their own: they and the coordinator share a broker, here a queue that
// stands for one. Any Watermill Publisher and Subscriber will do.
func ExampleNewWorker() {
	broker, err := queue.New(queue.Config{})
	if err != nil {
		panic(err)
	}
	defer broker.Close()
	double := &saga.Action[int, int]{Name: "double", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return 2 * n, nil }}
	s := saga.Define("sum", 1, func(f *saga.Flow, n saga.Ref[int]) saga.Ref[int] { return saga.Do(f, double, n.In) })

	// In the worker's process:
	w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: broker.Publisher(), Subscriber: broker.Group(""),
		Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()

	// In the coordinator's, which has the definitions too and runs no action itself:
	c, stop := running(saga.Config{Log: memlog.New(), Publisher: broker.Publisher(), Subscriber: broker.Group(""), NoWorker: true}, s)
	run, _ := saga.Start(ctx, c, s, 21)
	fmt.Println(run.Wait(ctx))
	stop()
	cancel()
	fmt.Println(<-ended)
	// Output:
	// 42 <nil>
	// <nil>
}
