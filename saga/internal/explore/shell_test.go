package explore

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/machine"
)

var shellSchedules = flag.Int("shell.schedules", 2_000, "how many schedules are played on a coordinator too; a tenth with the race detector")

// script answers the handlers of a coordinator as a scene was answered.
type script struct {
	mu      sync.Mutex
	answers map[string]Answer
	before  map[string]chan struct{} // closed when the attempt's turn has come
	calls   map[string]func()        // a person's act before an attempt
	crash   func()
	advance func(name string)
	never   chan struct{}            // closed at the end
	rest    map[string]chan struct{} // closed when the late attempt's time has come
}

func nameOf(ctx context.Context) string {
	a := saga.AttemptOf(ctx)
	return fmt.Sprintf("%s %s #%d", a.Step, a.Direction, a.Number)
}

// answer has the scene's answer for an attempt; ok is what the handler does.
func (s *script) answer(ctx context.Context) (Answer, error) {
	name := nameOf(ctx)
	s.mu.Lock()
	a, known := s.answers[name]
	turn, act, rest := s.before[name], s.calls[name], s.rest[name]
	s.mu.Unlock()
	if !known {
		<-s.never // the scene never carried it out
		return OK, errors.New("never")
	}
	select {
	case <-turn:
	case <-s.never:
		return OK, errors.New("never")
	}
	if act != nil {
		act()
	}
	if silent(a) {
		s.advance(name)
	}
	switch a {
	case Refused:
		return a, saga.Permanent(errors.New("refused"))
	case Failed, FailedDone:
		return a, errors.New("connection reset by peer")
	case TimedOut, TimedOutDone, Stray:
		<-s.never
	case Died, DiedDone:
		s.crash()
		<-s.never
	case Late:
		select {
		case <-rest:
		case <-s.never:
		}
	}
	return a, nil
}

func (s *script) action(name string, probe bool) *saga.Action[string, string] {
	a := &saga.Action[string, string]{Name: name, Timeout: 5 * time.Second, UndoTimeout: 5 * time.Second,
		Retry: saga.Retry{MaxAttempts: 2, Initial: time.Second}, UndoRetry: saga.Retry{MaxAttempts: 2, Initial: time.Second},
		Do: func(ctx context.Context, in string) (string, error) {
			_, err := s.answer(ctx)
			return in + ">" + name, err
		},
		Undo: func(ctx context.Context, _ saga.Did[string, string]) error {
			_, err := s.answer(ctx)
			return err
		}}
	if probe {
		a.Probe = func(ctx context.Context, _ string) (saga.Probed[string], error) {
			_, err := s.answer(ctx)
			return saga.Unknown[string](), err
		}
	}
	return a
}

// shellSagas are the sagas that are played both ways.
var shellSagas = map[string]func(s *script) *saga.Saga[string, string]{
	"sequence": func(s *script) *saga.Saga[string, string] {
		return saga.Define("sequence", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			one := saga.Do(f, s.action("one", false), in.In)
			two := saga.Do(f, s.action("two", true), one.In)
			return saga.Do(f, s.action("three", false), two.In)
		})
	},
	"parallel": func(s *script) *saga.Saga[string, string] {
		return saga.Define("parallel", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Parallel(f,
				func(f *saga.Flow) { saga.Do(f, s.action("left", false), in.In) },
				func(f *saga.Flow) { saga.Do(f, s.action("right", false), in.In) })
			saga.Sleep(f, 10*time.Second)
			return saga.Do(f, s.action("last", false), in.In)
		})
	},
	"each and pivot": func(s *script) *saga.Saga[string, string] {
		return saga.Define("each", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
			saga.Each(f, "items", func(v saga.Scope) []string { return []string{in.In(v), "b"} }, func(f *saga.Flow, it saga.Ref[string]) saga.Ref[string] {
				return saga.Do(f, s.action("item", false), it.In)
			}, saga.Tolerate(1), saga.Concurrency(1))
			saga.Pivot(f)
			return saga.Do(f, s.action("after", false), in.In)
		})
	},
}

// outline is what is compared of a run's events.
func outline(facts []domain.Fact) (lines []string) {
	for _, f := range facts {
		raw, err := json.Marshal(f.Event)
		if err != nil {
			panic(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			panic(err)
		}
		for _, k := range []string{"due", "retry_at", "node", "plan", "deadline", "in_force", "for"} {
			delete(m, k)
		}
		for _, k := range []string{"cause", "failure"} {
			if c, ok := m[k].(map[string]any); ok {
				m[k] = map[string]any{"kind": c["kind"], "in_doubt": c["in_doubt"], "step": c["step"]}
			}
		}
		delete(m, "incident")
		raw, _ = json.Marshal(m)
		lines = append(lines, f.Event.WireName()+" "+string(raw))
	}
	return lines
}

// deadLog takes no append once its process has died.
type deadLog struct {
	domain.Log
	mu       sync.Mutex
	dead     bool
	appended func(string, []domain.NewEvent)
}

func (l *deadLog) Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error) {
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead {
		<-ctx.Done()
		return domain.Appended{}, ctx.Err()
	}
	a, err := l.Log.Append(ctx, stream, expected, events...)
	if err == nil {
		l.appended(stream, events)
	}
	return a, err
}

func (l *deadLog) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
}

// onCoordinator plays a scene's answers on a coordinator over a log in memory, and returns the
// run's events.
func onCoordinator(t *testing.T, define func(*script) *saga.Saga[string, string], x *scene) []domain.Fact {
	t.Helper()
	log := memlog.New()
	s := &script{answers: map[string]Answer{}, before: map[string]chan struct{}{}, calls: map[string]func(){}, never: make(chan struct{}), rest: map[string]chan struct{}{}}
	attempts := x.story.attempts
	var late []string
	for _, a := range attempts {
		s.answers[a.At], s.before[a.At] = a.Answer, make(chan struct{})
		if a.Answer == Late {
			s.rest[a.At] = make(chan struct{})
			late = append(late, a.At)
		}
	}
	id := domain.RunIDForKey(x.sub.Saga.Plan.Saga, "explored")
	var c *saga.Coordinator
	var current *deadLog
	var stop context.CancelFunc
	var stopped sync.WaitGroup
	crashed := make(chan struct{}, 8)
	turn := -1
	// advance lets the next attempt begin once the one before has its outcome, or never will.
	s.advance = func(name string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if turn < len(attempts) && (turn < 0 || attempts[turn].At == name) {
			if turn++; turn < len(attempts) {
				close(s.before[attempts[turn].At])
			}
		}
	}
	s.advance("")
	start := func() {
		own := &deadLog{Log: log}
		own.appended = func(_ string, events []domain.NewEvent) {
			for _, e := range events {
				f, err := domain.DecodeFact(&domain.Recorded{NewEvent: e})
				if err != nil {
					continue
				}
				name := outcomeOf(f.Event)
				if name == "" {
					continue
				}
				if s.answers[name] == DiedRecorded {
					own.die()
					crashed <- struct{}{}
				}
				s.advance(name)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		var err error
		c, err = saga.New(saga.Config{Log: own, Logger: slog.New(slog.DiscardHandler), ShutdownTimeout: time.Millisecond, SnapshotEvery: -1})
		require.NoError(t, err)
		require.NoError(t, c.Register(define(s)))
		stopped.Go(func() { _ = c.Run(ctx) })
		current, stop = own, cancel
	}
	s.crash = func() { current.die(); crashed <- struct{}{} }
	for _, p := range x.trace {
		if attempt, ok := strings.CutPrefix(p.at, "person before "); ok && p.given != OK {
			given := p.given
			s.calls[attempt] = func() {
				if given == Cancel {
					_ = c.Cancel(context.Background(), id, "a person cancels")
				} else {
					_ = c.Pause(context.Background(), id, "a person pauses")
				}
			}
		}
	}
	stuck := map[string]Answer{}
	for _, p := range x.trace {
		if strings.HasPrefix(p.at, "stuck ") && p.given != OK {
			stuck[p.at] = p.given
		}
	}
	start()
	_, err := c.StartByName(context.Background(), x.sub.Saga.Plan.Saga, 0, x.cfg.Inputs[0], saga.Key("explored"))
	require.NoError(t, err)
	asked := map[string]bool{}
	counts := map[string]int{}
	rests := false
	for tries := 0; !rests; tries++ {
		require.Less(t, tries, 20_000, "it comes to no rest")
		synctest.Wait()
		select {
		case <-crashed:
			stop()
			time.Sleep(10 * time.Millisecond)
			start()
			continue
		default:
		}
		run := fold(t, log, x.sub.Saga.Plan, id)
		switch idle := idle(run); {
		case idle && run.Paused && run.End == "":
			require.NoError(t, c.Resume(context.Background(), id, "a person resumes"))
		case idle && (run.Status().Ended() || run.Status() == domain.RunIsStuck):
			if actOnStuck(t, c, run, stuck, asked, counts) {
				continue
			}
			if rests = len(late) == 0; !rests {
				close(s.rest[late[0]])
				late = late[1:]
			}
		default:
			time.Sleep(100 * time.Millisecond)
		}
	}
	current.die()
	stop()
	close(s.never)
	stopped.Wait()
	return factsOf(t, log, id)
}

func factsOf(t *testing.T, log domain.Log, id domain.RunID) (facts []domain.Fact) {
	t.Helper()
	for rec, err := range log.ReadStream(context.Background(), domain.RunStream(id), 0) {
		require.NoError(t, err)
		f, err := domain.DecodeFact(&rec)
		require.NoError(t, err)
		facts = append(facts, f)
	}
	return facts
}

func fold(t *testing.T, log domain.Log, p *domain.Plan, id domain.RunID) *machine.State {
	t.Helper()
	s := machine.New(p, id)
	for _, f := range factsOf(t, log, id) {
		s = machine.Evolve(s, f)
	}
	return s
}

// idle reports whether the run waits for nobody but people.
func idle(s *machine.State) bool {
	flying := false
	s.InFlight(func(machine.Attempt) { flying = true })
	w := s.Wake()
	return !flying && w.Due.IsZero() && (!w.Busy || s.Paused)
}

// actOnStuck has a person do what one did in the scene.
func actOnStuck(t *testing.T, c *saga.Coordinator, s *machine.State, acts map[string]Answer, asked map[string]bool, counts map[string]int) bool {
	t.Helper()
	acted := false
	s.StuckSteps(func(st *machine.Step) {
		if acted || asked[st.Path+st.Incident] {
			return
		}
		asked[st.Path+st.Incident] = true
		at := "stuck " + st.Path
		if counts[at]++; counts[at] > 1 {
			at = fmt.Sprintf("%s (%d)", at, counts[at])
		}
		ctx := context.Background()
		var err error
		switch acts[at] {
		case RetryIt:
			err = c.Retry(ctx, s.Run, st.Path, "a person mended it")
		case SkipIt:
			err = c.Skip(ctx, s.Run, st.Path, "a person says so")
		case Substitute:
			err = c.Substitute(ctx, s.Run, st.Path, json.RawMessage(`null`), "a person did it by hand")
		case Abandon:
			err = c.Abandon(ctx, s.Run, "a person gives it up")
		default:
			return
		}
		require.NoError(t, err)
		acted = true
	})
	return acted
}

// silent reports whether an attempt that is answered so never has an outcome of its own.
func silent(a Answer) bool {
	switch a {
	case TimedOut, TimedOutDone, Died, DiedDone, Late, Stray:
		return true
	}
	return false
}

// outcomeOf names the attempt of which the event is the outcome that its handler reported.
func outcomeOf(e domain.Event) string {
	switch e := e.(type) {
	case *domain.AttemptSucceeded:
		return fmt.Sprintf("%s %s #%d", e.Step, e.Direction, e.Attempt)
	case *domain.AttemptFailed:
		if e.Cause.Kind != domain.FailureTimedOut && e.Cause.Kind != domain.FailureLost {
			return fmt.Sprintf("%s %s #%d", e.Step, e.Direction, e.Attempt)
		}
	case *domain.StepProbed:
		return fmt.Sprintf("%s probe #%d", e.Step, e.Attempt)
	}
	return ""
}

// TestTheLoopDoesWhatACoordinatorDoes plays schedules on a coordinator too, and compares the run's
// events, times apart.
func TestTheLoopDoesWhatACoordinatorDoes(t *testing.T) {
	t.Parallel()
	per := *shellSchedules / len(shellSagas)
	if raceDetector {
		per /= 10
	}
	for name, define := range shellSagas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := &Config{Inputs: []json.RawMessage{json.RawMessage(`"x"`)}, edged: map[string]bool{}, Without: []Answer{AnswerLater, Twice}}
			cfg.Build = func(*Edges) (*Subject, error) { return quiet(define) }
			seen := map[Answer]int{}
			for _, sched := range sample(t, cfg, per) {
				x, err := play(cfg, sched, true, nil)
				require.NoError(t, err)
				if x.broken != nil { // these handlers don't refuse what comes after its undo
					require.Equal(t, "nothing is left behind", x.broken.Invariant, "%s: %s", sched, x.broken.Text)
				}
				var got []domain.Fact
				synctest.Test(t, func(t *testing.T) { got = onCoordinator(t, define, x) })
				require.Equal(t, outline(x.runs[0].facts), outline(got), "schedule %q\n%s", sched, x.story.b.String())
				for _, c := range sched {
					seen[c.Answer.base()]++
				}
			}
			t.Logf("%v", seen)
		})
	}
}

// quiet is a subject whose handlers do nothing.
func quiet(define func(*script) *saga.Saga[string, string]) (*Subject, error) {
	done := make(chan struct{})
	close(done)
	s := &script{answers: nil, never: done}
	d, err := bridge.Definition(define(s))
	if err != nil {
		return nil, err
	}
	r := definition.NewRegistry()
	if err := r.AddSaga(d); err != nil {
		return nil, err
	}
	for _, a := range r.Actions() {
		plain(a)
	}
	return &Subject{Registry: r, Saga: d}, nil
}

// plain has an action's handlers succeed.
func plain(a *definition.Action) {
	name := a.Spec.Name
	a.Do = func(_ context.Context, in json.RawMessage, _ any) (json.RawMessage, error) {
		var s string
		if err := json.Unmarshal(in, &s); err != nil {
			return nil, err
		}
		return json.Marshal(s + ">" + name)
	}
	if a.Undo != nil {
		a.Undo = func(context.Context, definition.Did) error { return nil }
	}
	if a.Probe != nil {
		a.Probe = func(context.Context, json.RawMessage) (domain.Verdict, json.RawMessage, error) {
			return domain.Unknown, nil, nil
		}
	}
}

// sample returns schedules with one and two choices, a fixed choice of them.
func sample(t *testing.T, cfg *Config, n int) []Schedule {
	t.Helper()
	base, err := play(cfg, nil, false, nil)
	require.NoError(t, err)
	var singles, all []Schedule
	points := map[string][]passed{}
	for _, p := range base.trace {
		for _, a := range p.others {
			if !a.isFirst() {
				singles = append(singles, Schedule{{p.at, a}})
			}
		}
	}
	all = append(all, nil)
	all = append(all, singles...)
	for _, s := range singles {
		x, err := play(cfg, s, false, nil)
		require.NoError(t, err)
		after := false
		for _, p := range x.trace {
			if after {
				points[s.String()] = append(points[s.String()], p)
				for _, a := range p.others {
					if !a.isFirst() {
						all = append(all, append(s[:1:1], Choice{p.at, a}))
					}
				}
			}
			after = after || p.given != OK
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	rest := all[len(singles)+1:]
	rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	return all[:min(n, len(all))]
}
