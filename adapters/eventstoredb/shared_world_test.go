package eventstoredb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/saga"
)

// effect is one line of the ledger that stands for the world outside. The handlers of both
// processes append to it, each line with one write.
type effect struct {
	Run, Step, Dir, Key string
	N                   int
	// What is "did", "undid", "failed", or "cut short" (an undo whose context ended).
	What string
}

func ledgerFile(dir string) string { return filepath.Join(dir, "ledger") }

func readEffects(dir string) (all []effect, err error) {
	f, err := os.Open(ledgerFile(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var e effect
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("ledger line %q: %w", line, err)
		}
		all = append(all, e)
	}
}

// job is the input of every saga of the test. It alone decides what fails.
type job struct {
	N    int
	Fail bool
	ID   string
}

// sharedWorld is the sagas that two processes share.
type sharedWorld struct {
	dir string
	mu  sync.Mutex
	out *os.File
	// startable are started by key; triggered by an event of the type "order-placed".
	startable []*saga.Saga[job, job]
	triggered *saga.Saga[job, job]
}

func (w *sharedWorld) write(ctx context.Context, what string) error {
	a := saga.AttemptOf(ctx)
	line, err := json.Marshal(effect{Run: a.Run.String(), Step: a.Step, Dir: string(a.Direction), Key: a.Key, N: a.Number, What: what})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.out.Write(append(line, '\n'))
	return err
}

// has reports whether the effect with the key exists, whichever process made it.
func (w *sharedWorld) has(key string) (found bool, err error) {
	all, err := readEffects(w.dir)
	for _, e := range all {
		found = found || e.Key == key && e.What == "did"
	}
	return found, err
}

var errRefused = errors.New("refused")

// untiring retries for ever: kills use up attempts.
var untiring = saga.Retry{MaxAttempts: saga.Unlimited, Initial: time.Millisecond, Max: 5 * time.Millisecond}

// linger takes a while, so that a kill may come in between.
func linger(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n%5) * 5 * time.Millisecond):
	case <-ctx.Done():
	}
}

// act makes an action that enters its effect in the ledger.
func (w *sharedWorld) act(name string, fails bool) *saga.Action[job, job] {
	return &saga.Action[job, job]{Name: name, Retry: untiring, UndoRetry: untiring,
		Do: func(ctx context.Context, in job) (job, error) {
			linger(ctx, in.N)
			if fails && in.Fail {
				return in, errors.Join(saga.Permanent(errRefused), w.write(ctx, "failed"))
			}
			err := w.write(ctx, "did")
			linger(ctx, in.N+1)
			return in, err
		},
		Undo: func(ctx context.Context, did saga.Did[job, job]) error {
			linger(ctx, did.Input.N)
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), w.write(ctx, "cut short"))
			}
			err := w.write(ctx, "undid")
			linger(ctx, did.Input.N+2)
			return err
		}}
}

func newSharedWorld(dir string) (*sharedWorld, error) {
	out, err := os.OpenFile(ledgerFile(dir), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &sharedWorld{dir: dir, out: out}
	a, b, x, probed := w.act("a", false), w.act("b", false), w.act("x", true), w.act("probed", false)
	probed.Probe = func(ctx context.Context, in job) (saga.Probed[job], error) {
		found, err := w.has(saga.AttemptOf(ctx).Key)
		if err != nil || !found {
			return saga.NotApplied[job](), err
		}
		return saga.Applied(in), nil
	}
	define := func(name string, build func(f *saga.Flow, in saga.Ref[job])) *saga.Saga[job, job] {
		return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[job]) saga.Ref[job] {
			build(f, in)
			return saga.Return(f, func(v saga.Scope) job { return in.In(v) })
		})
	}
	linear := define("linear", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, probed, in.In)
		saga.Do(f, x, in.In)
	})
	w.startable = []*saga.Saga[job, job]{linear,
		define("parallel", func(f *saga.Flow, in saga.Ref[job]) {
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Do(f, a, in.In); saga.Do(f, b, in.In) },
				func(f *saga.Flow) { saga.Do(f, probed, in.In) },
				func(f *saga.Flow) { saga.Do(f, x, in.In) })
		}),
		define("sleeps", func(f *saga.Flow, in saga.Ref[job]) {
			saga.Do(f, a, in.In)
			saga.Sleep(f, time.Second)
			saga.Do(f, x, in.In)
		}),
		define("parent", func(f *saga.Flow, in saga.Ref[job]) {
			saga.Do(f, a, in.In)
			saga.Child(f, linear, func(v saga.Scope) job { return job{N: in.In(v).N} })
			saga.Do(f, x, in.In)
		}),
		define("awaits", func(f *saga.Flow, in saga.Ref[job]) {
			saga.Do(f, a, in.In)
			saga.Await[job](f, "go", saga.Within(500*time.Millisecond), saga.DefaultTo(job{}))
			saga.Do(f, x, in.In)
		}),
	}
	letter := w.act("letter", false)
	letter.Undo, letter.UndoRetry, letter.Effect = nil, saga.Retry{}, saga.Irreversible
	w.startable = append(w.startable, define("letters", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, probed, in.In)
		saga.Do(f, x, in.In)
		saga.Pivot(f)
		saga.Do(f, letter, in.In)
		saga.Do(f, b, in.In)
	}))
	w.triggered = define("ship", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.AwaitEvent[job](f, "order-paid", func(v saga.Scope) string { return in.In(v).ID })
		saga.Do(f, x, in.In)
	})
	return w, nil
}

// sharedNode is one of the processes: it runs a coordinator on the cluster's log, starts some runs,
// disturbs them, and goes on until it is killed or its standard input ends.
func sharedNode(dir, name, connection string, generation int) error {
	w, err := newSharedWorld(dir)
	if err != nil {
		return err
	}
	acks, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
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
				go order(ctx, c, s, n, acks)
			}
		}
	}
	err = <-ended
	return errors.Join(err, log.Close())
}

// order starts a run, perhaps cancels it or sends it a signal, and notes what it was told.
func order(ctx context.Context, c *saga.Coordinator, s *saga.Saga[job, job], n int, acks io.Writer) {
	run, err := saga.Start(ctx, c, s, job{N: n, Fail: n%3 == 0}, saga.Key(fmt.Sprint("job ", n)))
	if err != nil {
		if ctx.Err() == nil {
			fmt.Fprintf(acks, "refused - %d: %v\n", n, err)
		}
		return
	}
	fmt.Fprintf(acks, "started %s %d\n", run.ID, n)
	switch {
	case n%7 == 3:
		if c.Cancel(ctx, run.ID, "a test") == nil {
			fmt.Fprintf(acks, "cancelled %s\n", run.ID)
		}
	case n%2 == 0:
		_ = c.Signal(ctx, run.ID, "go", job{}, saga.SignalID("go"))
	}
	_, err = run.Wait(ctx)
	var undone *saga.CompensatedError
	var cancelled *saga.CancelledError
	switch {
	case err == nil:
		fmt.Fprintf(acks, "ended %s completed\n", run.ID)
	case errors.As(err, &undone):
		fmt.Fprintf(acks, "ended %s compensated\n", run.ID)
	case errors.As(err, &cancelled):
		fmt.Fprintf(acks, "ended %s cancelled\n", run.ID)
	}
}
