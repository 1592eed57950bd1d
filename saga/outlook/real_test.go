package outlook_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/outlook"
	"github.com/atonehq/atone/saga/sagatest"
)

// script says how the world answers.
type script struct {
	mu sync.Mutex
	// attempt answers an attempt, signal whether what is awaited comes, and value what the action
	// price returns.
	attempt func(step string, dir domain.Direction, n int) outlook.Gives
	comes   func(name string) bool
	value   func() string
	calls   int
	actions map[string]*saga.Action[string, string]
}

func (s *script) answers(ctx context.Context) outlook.Gives {
	a := saga.AttemptOf(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	return s.attempt(a.Step, a.Direction, a.Number)
}

func (s *script) set(attempt func(string, domain.Direction, int) outlook.Gives, comes func(string) bool, value func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempt, s.comes, s.value = attempt, comes, value
}

// errorOf is what a handler returns for an answer.
func errorOf(g outlook.Gives) error {
	switch g {
	case outlook.Refused:
		return saga.Permanent(errors.New("refused"))
	case outlook.Fails:
		return saga.NothingDone(errors.New("failed"))
	case outlook.Doubt:
		return fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	}
	return nil
}

func (s *script) action(name string, adjust ...func(*saga.Action[string, string])) *saga.Action[string, string] {
	a := &saga.Action[string, string]{Name: name,
		Retry: saga.Retry{MaxAttempts: 2, Initial: time.Second}, UndoRetry: saga.Retry{MaxAttempts: 2, Initial: time.Second},
		Do: func(ctx context.Context, _ string) (string, error) {
			err := errorOf(s.answers(ctx))
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.value(), err
		},
		Undo: func(ctx context.Context, _ saga.Did[string, string]) error { return errorOf(s.answers(ctx)) }}
	for _, f := range adjust {
		f(a)
	}
	s.actions[name] = a
	return a
}

func (s *script) probed(a *saga.Action[string, string]) {
	a.Probe = func(ctx context.Context, _ string) (saga.Probed[string], error) {
		switch s.answers(ctx) {
		case outlook.NotApplied:
			return saga.NotApplied[string](), nil
		case outlook.Unknown:
			return saga.Unknown[string](), nil
		}
		return saga.Applied("found"), nil
	}
}

func irreversible(a *saga.Action[string, string]) { a.Undo, a.Effect = nil, saga.Irreversible }
func harmless(a *saga.Action[string, string])     { a.Undo, a.Effect = nil, saga.NoEffect }

type (
	flow   = func(f *saga.Flow, in saga.Ref[string])
	recipe func(s *script) flow
)

// recipes are sagas of a few steps, of every kind.
func recipes() map[string]recipe {
	return map[string]recipe{
		"two steps": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Do(f, s.action("b"), in.In)
			}
		},
		"probed": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a", s.probed), in.In)
				saga.Do(f, s.action("b", s.probed), in.In)
			}
		},
		"asks": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Do(f, s.action("b"), in.In, saga.OnFail(saga.Ask))
				saga.Do(f, s.action("c"), in.In)
			}
		},
		"ignores": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In, saga.OnFail(saga.Ignore))
				saga.Do(f, s.action("b", harmless), in.In)
				saga.Do(f, s.action("c"), in.In)
			}
		},
		"pivot": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Pivot(f)
				saga.Do(f, s.action("b"), in.In, saga.OnFail(saga.Forward))
			}
		},
		"irreversible": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Do(f, s.action("letter", irreversible, s.probed), in.In)
			}
		},
		"parallel": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Parallel(f,
					func(f *saga.Flow) { saga.Do(f, s.action("a"), in.In) },
					func(f *saga.Flow) { saga.Do(f, s.action("b"), in.In) })
				saga.Do(f, s.action("c"), in.In)
			}
		},
		"each": func(s *script) flow {
			a := s.action("a")
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Each(f, "each", func(saga.Scope) []string { return []string{"x", "y"} }, func(f *saga.Flow, it saga.Ref[string]) saga.Ref[string] {
					return saga.Do(f, a, it.In)
				}, saga.Tolerate(1))
				saga.Do(f, s.action("b"), in.In)
			}
		},
		"branch": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				price := saga.Do(f, s.action("price"), in.In)
				saga.If(f, func(v saga.Scope) bool { return price.In(v) == "then" },
					func(f *saga.Flow) { saga.Do(f, s.action("a"), in.In) },
					func(f *saga.Flow) { saga.Do(f, s.action("b"), in.In, saga.OnFail(saga.Ask)) })
			}
		},
		"code that fails": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				price := saga.Do(f, s.action("price"), in.In)
				saga.Do(f, s.action("a"), func(v saga.Scope) string {
					if price.In(v) == "bad" {
						panic("a bad price")
					}
					return price.In(v)
				})
			}
		},
		"signal": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Await[string](f, "go", saga.Within(time.Hour))
				saga.Do(f, s.action("b"), in.In)
			}
		},
		"signal or nothing": func(s *script) flow {
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Await[string](f, "go", saga.Within(time.Hour), saga.DefaultTo("none"))
				saga.Sleep(f, time.Minute)
				saga.Do(f, s.action("a"), in.In)
				saga.Await[string](f, "stop")
			}
		},
		"child": func(s *script) flow {
			child := saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
				saga.Do(f, s.action("kid"), in.In)
				return saga.Do(f, s.action("asked"), in.In, saga.OnFail(saga.Ask))
			})
			return func(f *saga.Flow, in saga.Ref[string]) {
				saga.Do(f, s.action("a"), in.In)
				saga.Child(f, child, in.In)
				saga.Do(f, s.action("b"), in.In)
			}
		},
	}
}

// fork is a run on a coordinator of its own, at the point at which its history was cut.
type fork struct {
	t    *testing.T
	k    *sagatest.Kit
	s    *script
	run  domain.RunID
	held []*sagatest.StandIn[string, string]
}

// newFork plays a history, the same for the same seed, up to where it is cut.
func newFork(t *testing.T, cook recipe, seed int) *fork {
	t.Helper()
	f := &fork{t: t, s: &script{actions: map[string]*saga.Action[string, string]{}}}
	f.s.set(random(seed), func(string) bool { return seed%3 == 0 }, func() string { return "then" })
	define := saga.Define("small", 1, func(f2 *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		cook(f.s)(f2, in)
		return saga.Return(f2, func(saga.Scope) string { return "end" })
	})
	f.k = sagatest.New(t, define)
	if b := f.s.actions["b"]; b != nil && seed%4 == 3 { // it is cut while an attempt is in flight
		f.held = append(f.held, sagatest.StandFor(f.k, b).Real().Block())
	}
	// With the key, retries come at the same times.
	f.run = sagatest.Start(f.k, define, "input", saga.Key("small")).ID
	f.goOn(seed % 5)
	return f
}

// release lets the attempts answer that were in flight when the history was cut.
func (f *fork) release() {
	f.t.Helper()
	for _, h := range f.held {
		h.Release()
	}
	f.held = nil
}

// random answers attempts at random, always the same for the same seed.
func random(seed int) func(string, domain.Direction, int) outlook.Gives {
	return func(step string, dir domain.Direction, n int) outlook.Gives {
		h := fnv.New32a()
		fmt.Fprint(h, seed, step, dir, n)
		roll := h.Sum32() >> 8 % 100
		if dir == domain.Probe {
			return []outlook.Gives{outlook.Applied, outlook.NotApplied, outlook.Unknown}[roll%3]
		}
		switch {
		case roll < 45:
			return ""
		case roll < 60:
			return outlook.Refused
		case roll < 80 || dir == domain.Undo:
			return outlook.Fails
		}
		return outlook.Doubt
	}
}

func (f *fork) state() *machine.State {
	f.t.Helper()
	s, err := f.k.Coordinator().FoldAt(f.t.Context(), f.run, saga.Latest)
	require.NoError(f.t, err)
	return s
}

// goOn lets the world answer until the run rests, or until time has passed so often.
func (f *fork) goOn(most int) {
	f.t.Helper()
	sent := map[string]bool{}
	for range most {
		f.k.Settle()
		s := f.state()
		flying := false
		s.InFlight(func(machine.Attempt) { flying = true })
		if s.End != "" || flying {
			return
		}
		if f.signal(s, sent) {
			continue
		}
		var due time.Time
		for _, run := range f.k.Runs() {
			s, err := f.k.Coordinator().FoldAt(f.t.Context(), run, saga.Latest)
			require.NoError(f.t, err)
			if w := s.Wake().Due; s.End == "" && !w.IsZero() && (due.IsZero() || w.Before(due)) {
				due = w
			}
		}
		if due.IsZero() {
			return
		}
		f.k.Advance(max(due.Sub(f.k.Now()), time.Nanosecond))
	}
	f.k.Settle()
}

func (f *fork) signal(s *machine.State, sent map[string]bool) (came bool) {
	s.Open(func(st *machine.Step) {
		if st.Phase == machine.Waiting && st.Signal != "" && !sent[st.Signal] {
			sent[st.Signal] = true
			if f.s.comes(st.Signal) {
				came = true
				require.NoError(f.t, f.k.Coordinator().Signal(f.t.Context(), f.run, st.Signal, "came"))
			}
		}
	})
	return came
}

func (f *fork) outlook() outlook.Outlook {
	f.t.Helper()
	l, err := f.k.Coordinator().Look(f.t.Context(), f.run)
	require.NoError(f.t, err)
	return l.Outlook(f.t.Context(), f.k.Coordinator().Now())
}

// do carries an act out, as a person does.
func (f *fork) do(a *outlook.Act) {
	f.t.Helper()
	c, ctx := f.k.Coordinator(), f.t.Context()
	var err error
	switch a.Act {
	case explain.ActRetry:
		err = c.Retry(ctx, f.run, a.Step, "try")
	case explain.ActSkip:
		err = c.Skip(ctx, f.run, a.Step, "skip")
	case explain.ActSubstitute:
		err = c.Substitute(ctx, f.run, a.Step, []byte(`"by hand"`), "did it")
	case explain.ActResume:
		err = c.Resume(ctx, f.run, "go on")
	case explain.ActCancel:
		err = c.Cancel(ctx, f.run, "no more")
	case explain.ActAbandon:
		err = c.Abandon(ctx, f.run, "hopeless")
	case outlook.ActWait:
	default:
		f.t.Fatalf("nobody can do %s", a.Act)
	}
	require.NoError(f.t, err, a.Text)
}

const toTheEnd = 300

// stories tells what happened in all runs.
func (f *fork) stories() (text string) {
	for _, run := range f.k.Runs() {
		text += f.k.Story(run)
	}
	return text
}

// childStands reports whether a child run has come somewhere already.
func (f *fork) childStands() (stands bool) {
	for _, run := range f.k.Runs() {
		s, err := f.k.Coordinator().FoldAt(f.t.Context(), run, saga.Latest)
		require.NoError(f.t, err)
		stands = stands || run != f.run && s.End == ""
	}
	return stands
}

func ofChild(e *outlook.End) bool {
	return slices.ContainsFunc(e.Answers, func(a outlook.Answer) bool {
		return slices.Contains([]outlook.Gives{outlook.Completes, outlook.Undone, outlook.Stays}, a.Gives)
	})
}

// told makes a script of the answers that lead to an end.
func told(e *outlook.End) (attempt func(string, domain.Direction, int) outlook.Gives, comes func(string) bool, value func() string) {
	gives := "then"
	has := func(step string, g ...outlook.Gives) bool {
		return slices.ContainsFunc(e.Answers, func(a outlook.Answer) bool { return a.Step == step && slices.Contains(g, a.Gives) })
	}
	for i := range e.Answers {
		switch a := &e.Answers[i]; a.Gives {
		case outlook.Takes:
			gives = a.Name
		case outlook.CodeFails:
			gives = "bad"
		}
	}
	ofChild := func(g outlook.Gives, back bool) bool {
		return slices.ContainsFunc(e.Answers, func(a outlook.Answer) bool {
			return a.Step == "child" && a.Gives == g && (a.Direction == domain.Undo) == back
		})
	}
	attempt = func(step string, dir domain.Direction, n int) (g outlook.Gives) {
		switch inChild := step == "kid" || step == "asked"; {
		case step == "kid" && dir == domain.Do && ofChild(outlook.Undone, false),
			step == "asked" && dir == domain.Do && ofChild(outlook.Stays, false),
			inChild && dir == domain.Undo && ofChild(outlook.Stays, true):
			return outlook.Refused
		}
		for i := range e.Answers {
			a := &e.Answers[i]
			if a.Step != step || a.Direction != dir || a.Attempt > n {
				continue
			}
			goesOn := a.Gives == outlook.Fails || a.Gives == outlook.Doubt && !has(step, outlook.Applied, outlook.NotApplied, outlook.Unknown)
			if a.Attempt == n || goesOn {
				g = a.Gives
			}
		}
		return g
	}
	comes = func(name string) bool {
		return slices.ContainsFunc(e.Answers, func(a outlook.Answer) bool { return a.Name == "signal "+name && a.Gives == outlook.Arrives })
	}
	return attempt, comes, func() string { return gives }
}

// histories is how many histories of each saga are cut short.
var histories = flag.Int("outlook.histories", 5, "how many histories of each saga are cut short")

// cameTo says in one line what a run has come to.
func cameTo(e *outlook.End) string {
	return fmt.Sprintf("%s stuck=%v left=%v without=%v", e.State, e.Stuck, e.Left, e.Without)
}

func (f *fork) end() string {
	e := outlook.EndOf(f.state())
	return cameTo(&e)
}

// cameToOneOf reports whether the run came to one of the ends, or to several of them at once: those
// in which single steps are stuck are not listed once more for each combination.
func (f *fork) cameToOneOf(known map[string]bool) bool {
	e := outlook.EndOf(f.state())
	if known[cameTo(&e)] || len(e.Stuck) < 2 {
		return known[cameTo(&e)]
	}
	return !slices.ContainsFunc(e.Stuck, func(at outlook.StuckAt) bool {
		alone := e
		alone.Stuck = []outlook.StuckAt{at}
		return !known[cameTo(&alone)]
	})
}

// TestWhatIsForeseenHappens cuts random histories short, asks for the outlook, and then really does
// each act on a coordinator. It lets the world answer as each end says: the run comes to that end.
// It lets the world answer at random: the run comes to one of the ends.
func TestWhatIsForeseenHappens(t *testing.T) {
	t.Parallel()
	for name, cook := range recipes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ends, forks := 0, 0
			for seed := range *histories {
				o := newFork(t, cook, seed).outlook()
				for i := range o.Acts {
					a := &o.Acts[i]
					require.NotEmpty(t, a.Ends, "seed %d: %s", seed, a.Text)
					known := map[string]bool{}
					for j := range a.Ends {
						e := &a.Ends[j]
						known[cameTo(e)] = true
						f := newFork(t, cook, seed)
						if f.childStands() && ofChild(e) {
							continue // it can't answer otherwise any more
						}
						f.s.set(told(e))
						f.do(a)
						f.release()
						f.goOn(toTheEnd)
						require.Equal(t, cameTo(e), f.end(), "seed %d: %s\n%s", seed, a.Sentence(e), f.stories())
						ends++
					}
					require.Empty(t, o.Cut)
					for again := range 2 {
						f := newFork(t, cook, seed)
						f.s.set(random(1000*(again+1)+seed), func(string) bool { return again%2 == 0 }, func() string { return [...]string{"else", "bad"}[again] })
						f.do(a)
						f.release()
						f.goOn(toTheEnd)
						require.True(t, f.cameToOneOf(known), "seed %d: %s, and then at random %d: %s is not among %v\n%s", seed, a.Text, again, f.end(), known, f.stories())
						forks++
					}
				}
			}
			t.Logf("%d ends came about as foreseen, %d random courses came to one of them", ends, forks)
		})
	}
}
