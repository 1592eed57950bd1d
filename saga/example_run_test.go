package saga_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// running starts a coordinator on an in-memory log; a program would use pebblelog.Open. The
// function that it returns stops it.
func running(cfg saga.Config, sagas ...saga.AnySaga) (*saga.Coordinator, func()) {
	if cfg.Log == nil {
		cfg.Log = memlog.New()
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	c, err := saga.New(cfg)
	if err != nil {
		panic(err)
	}
	if err := c.Register(sagas...); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	return c, func() { cancel(); <-ended }
}

// until follows the log until the run has an event of the type.
func until(log saga.Log, run domain.RunID, event string) {
	for d, err := range log.Subscribe(context.Background(), 0, domain.Filter{Prefixes: []string{domain.RunStream(run)}}) {
		if err != nil {
			panic(err)
		}
		if d.Event != nil && d.Event.Type == event {
			return
		}
	}
}

type account struct{ Email string }

func printing(name string, fail error) *saga.Action[account, account] {
	return &saga.Action[account, account]{
		Name:  name,
		Retry: saga.Retry{MaxAttempts: 2, Initial: time.Millisecond},
		Do: func(_ context.Context, a account) (account, error) {
			if fail == nil {
				fmt.Println(name)
			}
			return a, fail
		},
		Undo: func(context.Context, saga.Did[account, account]) error { fmt.Println("undo", name); return nil },
	}
}

func ExampleStart() {
	create, mail, crm := printing("create-user", nil), printing("send-welcome", nil), printing("update-crm", saga.Permanent(errors.New("no such tenant")))
	signup := saga.Define("signup", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		user := saga.Do(f, create, in.In)
		saga.Do(f, mail, user.In)
		saga.Do(f, crm, user.In)
		return user
	})
	c, stop := running(saga.Config{}, signup)
	defer stop()

	ctx := context.Background()
	run, err := saga.Start(ctx, c, signup, account{"ada@example.org"}, saga.Key("signup-42"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = run.Wait(ctx)
	var undone *saga.CompensatedError
	if errors.As(err, &undone) {
		fmt.Println("undone because of", undone.Cause)
	}
	// Output:
	// create-user
	// send-welcome
	// undo send-welcome
	// undo create-user
	// undone because of update-crm: no such tenant
}

func ExampleInvoke() {
	greet := &saga.Action[string, string]{Name: "greet", Effect: saga.NoEffect, Do: func(_ context.Context, name string) (string, error) {
		return "hello " + name, nil
	}}
	c, err := saga.New(saga.Config{Log: memlog.New(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	if err := c.RegisterActions(greet); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()

	out, err := saga.Invoke(ctx, c, greet, "Ada")
	fmt.Println(out, err)
	cancel()
	<-ended
	// Output: hello Ada <nil>
}

func ExampleKey() {
	s := saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		return saga.Do(f, printing("place", nil), in.In)
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := context.Background()
	a, _ := saga.Start(ctx, c, s, account{"ada"}, saga.Key("order-1"))
	_, _ = a.Wait(ctx)
	b, _ := saga.Start(ctx, c, s, account{"ada"}, saga.Key("order-1"))
	fmt.Println("same run:", a.ID == b.ID)
	_, err := saga.Start(ctx, c, s, account{"bob"}, saga.Key("order-1"))
	fmt.Println("another input is a conflict:", errors.Is(err, saga.ErrKeyConflict))
	// Output:
	// place
	// same run: true
	// another input is a conflict: true
}

func ExampleCoordinator_Signal() {
	approval := saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[string] {
		return saga.Await[string](f, "approved", saga.Within(time.Hour))
	})
	c, stop := running(saga.Config{}, approval)
	defer stop()
	ctx := saga.WithActor(context.Background(), "grace")
	run, _ := saga.Start(ctx, c, approval, account{"ada"})
	if err := c.Signal(ctx, run.ID, "approved", "by grace", saga.SignalID("approval-7")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output: by grace <nil>
}

func ExampleCoordinator_Cancel() {
	s := saga.Define("trip", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[string] {
		saga.Do(f, printing("book-flight", nil), in.In)
		return saga.Await[string](f, "confirmed")
	})
	log := memlog.New()
	c, stop := running(saga.Config{Log: log}, s)
	defer stop()
	ctx := context.Background()
	run, _ := saga.Start(ctx, c, s, account{"ada"})
	until(log, run.ID, "await.opened.v1") // the flight is booked
	if err := c.Cancel(ctx, run.ID, "changed her mind"); err != nil {
		fmt.Println(err)
	}
	_, err := run.Wait(ctx)
	var cancelled *saga.CancelledError
	fmt.Println(errors.As(err, &cancelled), cancelled.Cause)
	// Output:
	// book-flight
	// undo book-flight
	// true changed her mind
}

func ExampleCoordinator_Retry() {
	broken := errors.New("the printer is on fire")
	label := &saga.Action[account, string]{Name: "print-label", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(context.Context, account) (string, error) { return "label", broken }}
	s := saga.Define("parcel", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[string] {
		// Must succeed: stuck until it does.
		return saga.Do(f, label, in.In, saga.OnFail(saga.Forward))
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	ctx := context.Background()
	run, _ := saga.Start(ctx, c, s, account{"ada"})
	_, err := run.Wait(ctx)
	var stuck *saga.StuckError
	fmt.Println(errors.As(err, &stuck), stuck.Step, stuck.Cause.Message)

	broken = nil // somebody has put it out
	if err := c.Retry(saga.WithActor(ctx, "ann"), run.ID, stuck.Step, "printer replaced"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(run.Wait(ctx))
	// Output:
	// true print-label the printer is on fire
	// label <nil>
}

func ExampleEmit() {
	log := memlog.New()
	create := &saga.Action[account, account]{Name: "create-account", Effect: saga.NoEffect,
		Do: func(ctx context.Context, a account) (account, error) {
			// Appended together with the success, or not at all.
			return a, saga.Emit(ctx, "account-created", a)
		}}
	s := saga.Define("create", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] { return saga.Do(f, create, in.In) })
	c, stop := running(saga.Config{Log: log}, s)
	defer stop()
	ctx := context.Background()
	run, _ := saga.Start(ctx, c, s, account{"ada"})
	_, _ = run.Wait(ctx)
	for e := range log.ReadAll(ctx, 0, domain.Filter{}) {
		if e.Type == "account-created" {
			fmt.Println(string(e.Data))
		}
	}
	// Output: {"Email":"ada"}
}

func ExampleHeartbeat() {
	imported := &saga.Action[int, int]{Name: "import", Effect: saga.NoEffect, HeartbeatTimeout: time.Minute,
		Do: func(ctx context.Context, rows int) (int, error) {
			var done int
			// Where an earlier attempt was.
			if _, err := saga.LastHeartbeat(ctx, &done); err != nil {
				return 0, err
			}
			for ; done < rows; done++ {
				if err := saga.Heartbeat(ctx, done); err != nil {
					return done, err
				}
			}
			return done, nil
		}}
	s := saga.Define("import", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] { return saga.Do(f, imported, in.In) })
	c, stop := running(saga.Config{}, s)
	defer stop()
	run, _ := saga.Start(context.Background(), c, s, 1000)
	fmt.Println(run.Wait(context.Background()))
	// Output: 1000 <nil>
}

func ExampleTrigger() {
	log := memlog.New()
	welcome := printing("send-welcome", nil)
	s := saga.Define("welcome", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] { return saga.Do(f, welcome, in.In) })
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	if err := c.RegisterTriggers(&saga.Trigger[account, account]{Type: "user-registered", StreamPrefix: "users-", Saga: s}); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()

	event := domain.NewEvent{ID: uuid.New(), Type: "user-registered", Data: json.RawMessage(`{"Email":"ada"}`)}
	// Any app, in any language.
	if _, err := log.Append(ctx, "users-ada", domain.NoStream, event); err != nil {
		panic(err)
	}
	id := domain.RunIDForEvent("welcome", event.ID) // however often the event is delivered
	until(log, id, "run.started.v1")
	out, err := saga.RunOf[account](c, id).Wait(ctx)
	fmt.Println(out.Email, err)
	cancel()
	<-ended
	// Output:
	// send-welcome
	// ada <nil>
}

// Whatever events there are of an account, it is welcomed once, and its run is found by its stream.
func ExampleTrigger_key() {
	log := memlog.New()
	s := saga.Define("welcome", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		return saga.Do(f, printing("send-welcome", nil), in.In)
	})
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	trigger := &saga.Trigger[account, account]{Type: "user-registered", Saga: s,
		Key:    func(e saga.Event) string { return e.Stream },
		Labels: func(e saga.Event) map[string]string { return map[string]string{"stream": e.Stream} }}
	if err := c.RegisterTriggers(trigger); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()

	for range 2 {
		event := domain.NewEvent{ID: uuid.New(), Type: "user-registered", Data: json.RawMessage(`{"Email":"ada"}`)}
		if _, err := log.Append(ctx, "users-ada", domain.AnyRevision, event); err != nil {
			panic(err)
		}
	}
	id := domain.RunIDForKey("welcome", "users-ada")
	until(log, id, "run.started.v1")
	if _, err := c.Wait(ctx, id); err != nil {
		panic(err)
	}
	run, err := c.Describe(ctx, id)
	fmt.Println(run.Key, run.Labels, err)
	cancel()
	<-ended
	// Output:
	// send-welcome
	// users-ada map[stream:users-ada] <nil>
}

// pager is an alert sink.
type pager struct{ told chan saga.Alert }

func (p pager) Alert(_ context.Context, a saga.Alert) error { p.told <- a; return nil }

func ExampleAlertSink() {
	s := saga.Define("refund", 1, func(f *saga.Flow, in saga.Ref[account]) saga.Ref[account] {
		return saga.Do(f, printing("refund", errors.New("account closed")), in.In, saga.OnFail(saga.Ask))
	})
	p := pager{make(chan saga.Alert, 1)}
	c, stop := running(saga.Config{Alerts: []saga.AlertSink{p}}, s)
	defer stop()
	_, _ = saga.Start(context.Background(), c, s, account{"ada"})
	a := <-p.told
	fmt.Println(a.Kind, a.Saga, a.Step, a.Cause.Message)
	// Output: stuck refund refund account closed
}
