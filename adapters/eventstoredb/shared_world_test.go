package eventstoredb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

// job is the input and output of every saga of the test.
type job = killtest.Job

// sharedWorld is the sagas that two processes share.
type sharedWorld struct {
	ledger *killtest.Ledger
	// startable are started by key; triggered by an event of the type "order-placed".
	startable []*saga.Saga[job, job]
	triggered *saga.Saga[job, job]
}

var errRefused = errors.New("refused")

// linger takes a while, so that a kill may come in between.
func linger(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n%5) * 5 * time.Millisecond):
	case <-ctx.Done():
	}
}

// act makes an action that enters its effect in the ledger.
func (w *sharedWorld) act(name string, fails bool) *saga.Action[job, job] {
	return &saga.Action[job, job]{Name: name, Retry: killtest.Untiring, UndoRetry: killtest.Untiring,
		Do: func(ctx context.Context, in job) (job, error) {
			linger(ctx, in.N)
			if fails && in.Fail {
				return in, saga.Permanent(errRefused)
			}
			w.ledger.Write(ctx, killtest.Did, "")
			linger(ctx, in.N+1)
			return in, nil
		},
		Undo: func(ctx context.Context, did saga.Did[job, job]) error {
			linger(ctx, did.Input.N)
			if ctx.Err() != nil {
				w.ledger.Write(ctx, killtest.CutShort, did.Key)
				return ctx.Err()
			}
			w.ledger.Write(ctx, killtest.Undid, did.Key)
			linger(ctx, did.Input.N+2)
			return nil
		}}
}

func newSharedWorld(dir string) (*sharedWorld, error) {
	ledger, err := killtest.OpenLedger(dir)
	if err != nil {
		return nil, err
	}
	w := &sharedWorld{ledger: ledger}
	a, b, x, probed := w.act("a", false), w.act("b", false), w.act("x", true), w.act("probed", false)
	probed.Probe = func(ctx context.Context, in job) (saga.Probed[job], error) {
		if !w.ledger.Has(saga.AttemptOf(ctx).Key) {
			return saga.NotApplied[job](), nil
		}
		return saga.Applied(in), nil
	}
	w.startable = killtest.Sagas(killtest.Acts{A: a, B: b, C: w.act("c", false), Probed: probed, Refusing: x}, time.Second)
	letter := w.act("letter", false)
	letter.Undo, letter.UndoRetry, letter.Effect = nil, saga.Retry{}, saga.Irreversible
	w.startable = append(w.startable, killtest.Define("letters", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, probed, in.In)
		saga.Do(f, x, in.In)
		saga.Pivot(f)
		saga.Do(f, letter, in.In)
		saga.Do(f, b, in.In)
	}))
	w.triggered = killtest.Define("ship", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.AwaitEvent[job](f, "order-paid", func(v saga.Scope) string { return in.In(v).ID })
		saga.Do(f, x, in.In)
	})
	return w, nil
}

// sharedNode is one of the processes: it runs a coordinator on the cluster's log, starts some runs,
// disturbs them, and goes on until it is killed or its standard input ends. Its arguments are the
// directory, its name, its connection and its generation.
func sharedNode(args []string) error {
	dir, name, connection := args[0], args[1], args[2]
	generation, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	w, err := newSharedWorld(dir)
	if err != nil {
		return err
	}
	told, err := killtest.OpenTold(dir)
	if err != nil {
		return err
	}
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection, Logger: silent, AttemptTimeout: 3 * time.Second})
	if err != nil {
		return err
	}
	c, err := saga.New(saga.Config{Log: log, Node: name, Shared: true, NodeTimeout: sharedTimeout, TakeoverDelay: 100 * time.Millisecond,
		Logger: silent, CheckpointEvery: 300, SnapshotEvery: 12, CacheRuns: 10})
	if err != nil {
		return err
	}
	for _, s := range w.startable {
		err = errors.Join(err, c.Register(s))
	}
	err = errors.Join(err, c.RegisterTriggers(&saga.Trigger[job, job]{Type: "order-placed", StreamPrefix: "shop-", Saga: w.triggered}))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-ended:
		return err
	}
	fmt.Println("ready")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	for i, s := range w.startable {
		// This generation's runs, and the one's before: the same start twice is one run.
		for _, g := range []int{generation, generation - 1} {
			if n := g*len(w.startable) + i; n >= 0 {
				go order(ctx, told, c, s, n)
			}
		}
	}
	err = <-ended
	return errors.Join(err, log.Close())
}

// order starts a run, disturbs it, and waits for its end.
func order(ctx context.Context, told *killtest.Told, c *saga.Coordinator, s *saga.Saga[job, job], n int) {
	if run, err := told.Start(ctx, c, s, n); err == nil {
		told.Disturb(ctx, c, run, n)
	}
}
