package saga_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/atonehq/atone/saga"
)

// line is one line of the ledger of effects, which handlers write to with O_APPEND: what was
// done, or undone, and for which attempt.
type line struct {
	Run, Step, Dir, Key string
	N                   int
	// What is "did", "undid", "cut short" (an undo whose context ended), or "failed".
	What string
}

// ledger is the world outside: the effects of handlers, which outlive the process.
type ledger struct {
	mu   sync.Mutex
	file *os.File
	done map[string]bool // by the do's key: whether the effect exists
}

// openLedger reads what was done before.
func openLedger(dir string) (*ledger, error) {
	file, err := openLines(filepath.Join(dir, "ledger"))
	if err != nil {
		return nil, err
	}
	lines, err := readLedger(dir)
	if err != nil {
		return nil, err
	}
	l := &ledger{file: file, done: map[string]bool{}}
	for _, e := range lines {
		l.fold(e)
	}
	return l, nil
}

// openLines opens a file to append lines to. It cuts off a line that a kill left unfinished, as it may where a write
// crosses a page: what it was to say did not happen yet.
func openLines(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := io.ReadAll(f)
	if err == nil {
		err = f.Truncate(int64(bytes.LastIndexByte(whole, '\n') + 1))
	}
	return f, err
}

// fold applies a line: effects are idempotent by key.
func (l *ledger) fold(e line) {
	switch e.What {
	case "did":
		l.done[e.Key] = true
	case "undid":
		delete(l.done, strings.TrimSuffix(e.Key, "/undo")+"/do")
	}
}

func (l *ledger) write(ctx context.Context, what string) {
	a := saga.AttemptOf(ctx)
	e := line{Run: a.Run.String(), Step: a.Step, Dir: string(a.Direction), Key: a.Key, N: a.Number, What: what}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.file.Write(append(b, '\n')); err != nil {
		panic(err)
	}
	l.fold(e)
}

func (l *ledger) has(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done[key]
}

func readLedger(dir string) (lines []line, err error) {
	f, err := os.Open(filepath.Join(dir, "ledger"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		b, err := r.ReadBytes('\n')
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		var e line
		if err := json.Unmarshal(b, &e); err != nil {
			return nil, fmt.Errorf("ledger line %q: %w", b, err)
		}
		lines = append(lines, e)
	}
}

// job is the input of every saga of the kill test. What fails is decided by it alone, so that
// every attempt fails alike.
type job struct {
	N    int
	Fail bool
}

// killWorld is the sagas of the kill test, over a ledger.
type killWorld struct {
	ledger *ledger
	sagas  []*saga.Saga[job, job]
	all    []saga.AnySaga
}

// untiring retries for ever: kills use up attempts.
var untiring = saga.Retry{MaxAttempts: saga.Unlimited, Initial: time.Millisecond, Max: 5 * time.Millisecond}

var errRefused = errors.New("refused")

// act makes an action that enters its effect in the ledger, slowly enough to be killed at it.
func (w *killWorld) act(name string, fails bool) *saga.Action[job, job] {
	pause := func(ctx context.Context, n int) {
		select {
		case <-time.After(time.Duration(n%4) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return &saga.Action[job, job]{Name: name, Retry: untiring, UndoRetry: untiring,
		Do: func(ctx context.Context, in job) (job, error) {
			pause(ctx, in.N)
			if fails && in.Fail {
				w.ledger.write(ctx, "failed")
				return in, saga.Permanent(errRefused)
			}
			if n := saga.AttemptOf(ctx).Number; n == 1 && in.N%5 == 0 {
				return in, errRefused // once
			}
			w.ledger.write(ctx, "did")
			pause(ctx, in.N+1)
			return in, nil
		},
		Undo: func(ctx context.Context, did saga.Did[job, job]) error {
			pause(ctx, did.Input.N)
			if ctx.Err() != nil {
				w.ledger.write(ctx, "cut short")
				return ctx.Err()
			}
			w.ledger.write(ctx, "undid")
			pause(ctx, did.Input.N+2)
			return nil
		}}
}

func newKillWorld(l *ledger) *killWorld {
	w := &killWorld{ledger: l}
	a, b, c, x := w.act("a", false), w.act("b", false), w.act("c", false), w.act("x", true)
	p := w.act("probed", false)
	p.Probe = func(ctx context.Context, in job) (saga.Probed[job], error) {
		if l.has(saga.AttemptOf(ctx).Key) {
			return saga.Applied(in), nil
		}
		return saga.NotApplied[job](), nil
	}
	define := func(name string, build func(f *saga.Flow, in saga.Ref[job])) *saga.Saga[job, job] {
		s := saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[job]) saga.Ref[job] {
			build(f, in)
			return saga.Return(f, func(v saga.View) job { return in.In(v) })
		})
		w.sagas, w.all = append(w.sagas, s), append(w.all, s)
		return s
	}
	linear := define("linear", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, b, in.In)
		saga.Do(f, p, in.In)
		saga.Do(f, x, in.In)
	})
	define("parallel", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Parallel(f,
			func(f *saga.Flow) { saga.Do(f, b, in.In); saga.Do(f, c, in.In) },
			func(f *saga.Flow) { saga.Do(f, p, in.In) },
			func(f *saga.Flow) { saga.Do(f, x, in.In) })
	})
	define("each", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Each(f, "each", func(v saga.View) []job { return []job{{N: 1}, {N: 2, Fail: true}, {N: 3}, {N: 4, Fail: in.In(v).Fail}} },
			func(f *saga.Flow, item saga.Ref[job]) saga.Ref[job] {
				saga.Do(f, a, item.In)
				return saga.Do(f, x, item.In)
			}, saga.Tolerate(1), saga.Concurrency(2))
	})
	define("sleeps", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Sleep(f, 20*time.Millisecond)
		saga.Do(f, x, in.In)
	})
	define("awaits", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Await[job](f, "go", saga.Within(300*time.Millisecond), saga.DefaultTo(job{}))
		saga.Do(f, x, in.In)
	})
	define("parent", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Child(f, linear, func(v saga.View) job { return job{N: in.In(v).N} })
		saga.Do(f, x, in.In)
	})
	define("pivots", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Do(f, a, in.In)
		saga.Do(f, x, in.In)
		saga.Pivot(f)
		saga.Do(f, b, in.In)
	})
	planner := &saga.Action[saga.PlannerIn[job], saga.Steps[job]]{Name: "planner", Effect: saga.NoEffect, Retry: untiring,
		Do: func(_ context.Context, in saga.PlannerIn[job]) (saga.Steps[job], error) {
			switch in.Round {
			case 1:
				return saga.Steps[job]{Do: []saga.NextStep{saga.Next(a, in.Input), saga.Next(b, in.Input)}}, nil
			case 2:
				return saga.Steps[job]{Do: []saga.NextStep{saga.Next(c, in.Input), saga.Next(x, in.Input)}, Parallel: true}, nil
			}
			return saga.Steps[job]{Done: true, Output: in.Input}, nil
		}}
	define("plans", func(f *saga.Flow, in saga.Ref[job]) {
		saga.Plan(f, "agent", planner, in.In, saga.Uses(a, b, c, x))
	})
	return w
}
