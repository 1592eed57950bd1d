package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// flowRun drives a definition through the machine without a coordinator: every attempt
// calls its action at once, every wait is over at once.
type flowRun struct {
	t       require.TestingT
	def     *definition.Definition
	actions map[string]*definition.Action
	state   *machine.State
	now     time.Time
	signals map[string]json.RawMessage // by signal name or event type
	paths   []string                   // attempts in the order in which they were made
}

func driveFlow(t require.TestingT, s AnySaga, input any, signals map[string]json.RawMessage) *flowRun {
	def, err := s.compile()
	require.NoError(t, err)
	return driveDefinition(t, def, input, signals)
}

func driveDefinition(t require.TestingT, def *definition.Definition, input any, signals map[string]json.RawMessage) *flowRun {
	raw, err := payload.Encode(input)
	require.NoError(t, err)
	r := &flowRun{t: t, def: def, actions: map[string]*definition.Action{}, signals: signals, now: time.Unix(1_000_000, 0).UTC()}
	for _, a := range def.Actions {
		r.actions[a.Spec.Name] = a
	}
	r.state = machine.New(def.Plan, domain.RunIDForKey(def.Plan.Saga, "test"))
	r.apply(&domain.RunStarted{Saga: def.Plan.Saga, Version: def.Plan.Version, Plan: def.Plan.Hash(), Input: raw})
	for range 50_000 {
		if r.state.End != "" || !r.turn() {
			return r
		}
	}
	require.Fail(t, "the run does not end")
	return nil
}

func (r *flowRun) apply(events ...domain.Event) {
	for _, e := range events {
		r.state = machine.Evolve(r.state, domain.Fact{Event: e, Revision: uint64(r.state.Revision + 1), Meta: domain.Meta{At: r.now}})
	}
}

func (r *flowRun) decide(in machine.Intent) {
	events, err := machine.Decide(r.state, in, r.now)
	require.NoError(r.t, err)
	r.apply(events...)
}

// turn does one thing that is owed, and reports whether there was any.
func (r *flowRun) turn() bool {
	var duty machine.Duty
	var step *machine.Step
	found := false
	r.state.Todo(r.now, func(d machine.Duty, st *machine.Step) bool {
		duty, step, found = d, st, true
		return false
	})
	if found {
		r.perform(duty, step)
		return true
	}
	var flight *machine.Attempt
	r.state.InFlight(func(a machine.Attempt) {
		if flight == nil {
			flight = &a
		}
	})
	if flight != nil {
		r.attempt(*flight)
		return true
	}
	var waiting *machine.Step
	r.state.Steps(func(st *machine.Step) {
		if waiting == nil && st.Phase == machine.Waiting {
			waiting = st
		}
	})
	switch {
	case waiting == nil:
		wake := r.state.Wake()
		if wake.Due.IsZero() {
			return false
		}
		r.now = wake.Due
	case waiting.Node.Kind == domain.KindChild:
		r.child(waiting)
	case r.signals[waiting.Signal+waiting.Event] != nil:
		value := r.signals[waiting.Signal+waiting.Event]
		if waiting.Signal != "" {
			r.decide(machine.Signal{Name: waiting.Signal, ID: strconv.FormatInt(r.state.Revision, 10), Value: value})
		} else {
			r.decide(machine.EventSeen{ID: fmt.Sprint("event-", r.state.Revision), Type: waiting.Event, Correlation: waiting.Correlation, Value: value})
		}
	case !waiting.Due.IsZero():
		r.now = waiting.Due
		r.decide(machine.Tick{})
	default:
		return false
	}
	return true
}

func (r *flowRun) child(st *machine.Step) {
	for _, c := range r.def.Children {
		if c.Plan.Saga == st.Node.Saga && c.Plan.Version == st.Node.Version {
			sub := driveDefinition(r.t, c, st.Input, r.signals)
			r.decide(machine.ChildSeen{Step: st.Path, Run: st.Child, State: sub.state.End, Output: sub.state.Output, Cause: sub.state.Cause})
			return
		}
	}
	require.Fail(r.t, "the definition does not list its child "+st.Node.Saga)
}

func (r *flowRun) attempt(a machine.Attempt) {
	path := a.Step.Path
	r.paths = append(r.paths, string(a.Direction)+" "+path)
	code := r.actions[a.Step.Node.Action.Name]
	require.NotNil(r.t, code, "the definition does not list the action of %s", path)
	out := machine.Outcome{Step: path, Direction: a.Direction, Attempt: a.Number}
	var err error
	if a.Direction == domain.Undo {
		err = code.Undo(context.Background(), definition.Did{Input: a.Step.Input, Output: a.Step.Output})
	} else {
		out.Output, err = code.Do(context.Background(), a.Step.Input, nil)
	}
	if err != nil {
		out.Failure = &domain.Failure{Kind: domain.FailurePermanent, Message: err.Error()}
	}
	r.decide(out)
}

func (r *flowRun) perform(d machine.Duty, st *machine.Step) {
	switch d {
	case machine.Evaluate:
		r.evaluate(st)
	case machine.Start:
		r.decide(machine.Begin{Step: st.Path})
	case machine.Pass:
		r.decide(machine.Passed{Step: st.Path})
	case machine.Conclude:
		r.decide(machine.Consequence{Step: st.Path})
	case machine.Expand:
		kids := st.Kids()
		in, err := definition.Expand(func(name string) *definition.Action { return r.actions[name] }, st.Node, kids[len(kids)-1].Output)
		in.Step, in.Round, in.Failure = st.Path, len(kids)/2+1, permanent(err)
		r.decide(in)
	case machine.End:
		var in machine.Finish
		if r.def.Plan.Returns && !r.state.Turning {
			value, err := tryExpr(r.def.Code[definition.ReturnKey], definition.NewScope(r.state, nil, nil))
			in.Output, in.Failure = value, permanent(err)
		}
		r.decide(in)
	}
}

func (r *flowRun) evaluate(st *machine.Step) {
	code, ok := r.def.Code[st.Node.Key]
	v := definition.NewScope(r.state, st, nil)
	require.True(r.t, ok || st.Node.Kind == domain.KindAwait, "no code for %s", st.Node.Key)
	switch st.Node.Kind {
	case domain.KindSwitch:
		i, label := code.Choose(v)
		r.decide(machine.Chosen{Step: st.Path, Branch: i, Case: label})
	case domain.KindEach:
		items, err := code.Items(v)
		r.decide(machine.Listed{Step: st.Path, Items: items, Failure: permanent(err)})
	case domain.KindSleep:
		sleeps := code.Rest(v)
		r.decide(machine.Timed{Step: st.Path, Due: sleeps.Until, For: sleeps.Span})
	case domain.KindAwait:
		in := machine.Opened{Step: st.Path}
		if code.Correlation != nil {
			in.Correlation = code.Correlation(v)
		}
		r.decide(in)
	default:
		value, err := tryExpr(code, v)
		if st.Node.Name == domain.PlannerStep {
			value = append(append(json.RawMessage(`{"round":1,"input":`), value...), '}')
		}
		r.decide(machine.Evaluated{Step: st.Path, Value: value, Failure: permanent(err)})
	}
}

func tryExpr(code definition.Expression, v definition.Scope) (value json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	return code.Value(v)
}

func permanent(err error) *domain.Failure {
	if err == nil {
		return nil
	}
	return &domain.Failure{Kind: domain.FailurePermanent, Message: err.Error()}
}

// The actions of the tests.
type flowUser struct {
	ID    string `json:"id"`
	Email string `json:"email" atone:"secret"`
}

func pass[T any](_ context.Context, v T) (T, error) { return v, nil }

var (
	createUser = &Action[flowUser, flowUser]{Name: "create-user",
		Do: func(_ context.Context, u flowUser) (flowUser, error) {
			if u.Email == "bad" {
				return u, errors.New("bad address")
			}
			u.ID = "u-" + u.Email
			return u, nil
		},
		Undo: func(context.Context, Did[flowUser, flowUser]) error { return nil }}
	charge  = &Action[int, int]{Name: "charge", Do: pass[int], Undo: func(context.Context, Did[int, int]) error { return nil }}
	check   = &Action[int, int]{Name: "check", Do: failNegative, Effect: NoEffect}
	post    = &Action[string, string]{Name: "post", Do: pass[string], Effect: Irreversible, FailsCleanly: true}
	echo    = &Action[string, string]{Name: "echo", Do: pass[string], Effect: NoEffect}
	onFails = &Action[Failed, None]{Name: "tell-ops", Effect: NoEffect, Do: func(context.Context, Failed) (None, error) { return None{}, nil }}
)

func failNegative(_ context.Context, n int) (int, error) {
	if n < 0 {
		return 0, errors.New("negative")
	}
	return n * 10, nil
}

func constant[T any](v T) func(Scope) T { return func(Scope) T { return v } }

func TestARunSeesInputsOutputsAndItems(t *testing.T) {
	t.Parallel()
	type order struct {
		To    flowUser
		Items [][]int
	}
	s := Define("orders", 3, func(f *Flow, in Ref[order]) Ref[string] {
		user := Do(f, createUser, func(v Scope) flowUser { return in.In(v).To })
		var a, b Ref[int]
		Parallel(f,
			func(f *Flow) { a = Do(f, check, constant(1), Name("a")) },
			func(f *Flow) { b = Do(f, check, func(v Scope) int { return len(in.In(v).Items) }, Name("b")) },
		)
		boxes := Each(f, "box", func(v Scope) [][]int { return in.In(v).Items }, func(f *Flow, box Ref[[]int]) Ref[int] {
			fixed := Compute(f, "fixed", func(v Scope) int { return len(box.In(v)) })
			parts := Each(f, "part", box.In, func(f *Flow, part Ref[int]) Ref[int] {
				return Do(f, check, func(v Scope) int { return part.In(v) + fixed.In(v)*100 + len(box.In(v))*1000 })
			})
			return Return(f, func(v Scope) int {
				sum := 0
				for _, n := range parts.In(v) {
					sum += n
				}
				return sum
			})
		})
		kind := Choose(f, "kind", func(v Scope) string { return user.In(v).ID },
			On("u-ann", func(f *Flow) Ref[string] { return Do(f, echo, constant("first"), Name("vip")) }),
			Else(func(f *Flow) Ref[string] { return Return(f, constant("other")) }))
		none := Choose(f, "none", constant("x"), On("y", func(f *Flow) Ref[string] { return Return(f, constant("y")) }))
		return Return(f, func(v Scope) string {
			all, err := payload.Encode([]any{user.In(v).ID, a.In(v), b.In(v), boxes.In(v), kind.In(v), kind.Ok(v), none.In(v), none.Ok(v)})
			require.NoError(t, err)
			return string(all)
		})
	})
	r := driveFlow(t, s, order{To: flowUser{Email: "ann"}, Items: [][]int{{1, 2}, {}, {3}}}, nil)
	require.Equal(t, domain.RunIsCompleted, r.state.End, "%v", r.state.Cause)
	out, err := payload.Decode[string](r.state.Output)
	require.NoError(t, err)
	require.Equal(t, `["u-ann",10,30,[44030,0,11030],"first",true,"",false]`, out)
}

func TestAnEachTellsWhichItemsFailed(t *testing.T) {
	t.Parallel()
	type verdict struct {
		Sum    []int
		Failed []int
		Why    string
	}
	s := Define("tolerant", 1, func(f *Flow, in Ref[[]int]) Ref[verdict] {
		r := Each(f, "n", in.In, func(f *Flow, n Ref[int]) Ref[int] {
			Do(f, charge, n.In)
			return Do(f, check, n.In)
		}, Tolerate(2), Concurrency(Unlimited))
		return Return(f, func(v Scope) verdict {
			out := verdict{Sum: r.In(v)}
			for _, x := range r.Failed(v) {
				out.Failed = append(out.Failed, x.Item)
				out.Why = x.Cause.String()
			}
			return out
		})
	})
	r := driveFlow(t, s, []int{1, -1, 2, -2}, nil)
	require.Equal(t, domain.RunIsCompleted, r.state.End, "%v", r.state.Cause)
	out, err := payload.Decode[verdict](r.state.Output)
	require.NoError(t, err)
	require.Equal(t, verdict{Sum: []int{10, 0, 20, 0}, Failed: []int{1, 3}, Why: "n/3/check: negative"}, out)
	require.Contains(t, r.paths, "undo n/1/charge")
	require.Equal(t, domain.RunIsCompensated, driveFlow(t, s, []int{-1, -2, -3}, nil).state.End)
}

func TestIgnoredStepsHaveZeroValues(t *testing.T) {
	t.Parallel()
	s := Define("ignore", 1, func(f *Flow, in Ref[int]) Ref[[]bool] {
		n := Do(f, check, in.In, OnFail(Ignore))
		return Return(f, func(v Scope) []bool { return []bool{n.Ok(v), n.In(v) == 0} })
	})
	require.JSONEq(t, `[false,true]`, string(driveFlow(t, s, -1, nil).state.Output))
	require.JSONEq(t, `[true,false]`, string(driveFlow(t, s, 1, nil).state.Output))
}

func TestARefOfAStepNeverReachedPanicsWithItsPath(t *testing.T) {
	t.Parallel()
	var inner Ref[int]
	// The trial in Define does not see the read: what it could not check, the run must.
	read := false
	s := Define("late", 1, func(f *Flow, in Ref[bool]) Ref[int] {
		If(f, in.In, func(f *Flow) { inner = Do(f, check, constant(1)) }, nil)
		return Return(f, func(v Scope) int {
			if !read {
				return 0
			}
			return inner.In(v)
		})
	})
	read = true
	r := driveFlow(t, s, false, nil)
	require.Equal(t, domain.RunIsCompensated, r.state.End)
	require.Contains(t, r.state.Cause.Message, "the output of check is read, but the run has not reached it")
	require.Equal(t, domain.RunIsCompleted, driveFlow(t, s, true, nil).state.End)
}

func TestTheOutputIsThatOfWhateverIsReturned(t *testing.T) {
	t.Parallel()
	child := Define("child", 2, func(f *Flow, in Ref[int]) Ref[int] { return Do(f, check, in.In) })
	for name, c := range map[string]struct {
		saga AnySaga
		want string
	}{
		"a step": {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { return Do(f, check, in.In) }), `30`},
		"an earlier step": {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] {
			first := Do(f, check, in.In)
			Do(f, charge, first.In)
			return first
		}), `30`},
		"the input":  {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { Do(f, check, in.In); return in }), `3`},
		"an each":    {Define("s", 1, func(f *Flow, in Ref[int]) Ref[[]int] { return eachOf(f, in).Ref }), `[30,3]`},
		"a child":    {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { return Child(f, child, in.In) }), `30`},
		"a branch":   {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { return choiceOf(f, in) }), `30`},
		"a default":  {Define("s", 1, func(f *Flow, _ Ref[int]) Ref[int] { return Await[int](f, "x", Within(time.Hour), DefaultTo(7)) }), `7`},
		"a signal":   {Define("s", 1, func(f *Flow, _ Ref[int]) Ref[int] { return Await[int](f, "go") }), `99`},
		"an event":   {Define("s", 1, func(f *Flow, _ Ref[int]) Ref[int] { return AwaitEvent[int](f, "paid", constant("me")) }), `98`},
		"an element": {Define("s", 1, func(f *Flow, in Ref[int]) Ref[[]int] { return itemsOfItems(f, in).Ref }), `[3,4]`},
		"nothing": {Define("s", 1, func(f *Flow, in Ref[int]) Ref[None] {
			Do(f, check, in.In)
			return Ref[None]{}
		}), ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := driveFlow(t, c.saga, 3, map[string]json.RawMessage{"go": json.RawMessage(`99`), "paid": json.RawMessage(`98`)})
			require.Equal(t, domain.RunIsCompleted, r.state.End, "%v", r.state.Cause)
			require.Equal(t, c.want, string(r.state.Output))
		})
	}
}

func eachOf(f *Flow, in Ref[int]) EachRef[int] {
	return Each(f, "e", constant([]bool{true, false}), func(f *Flow, double Ref[bool]) Ref[int] {
		return Choose(f, "c", func(v Scope) string { return map[bool]string{true: "yes", false: "no"}[double.In(v)] },
			On("yes", func(f *Flow) Ref[int] { return Do(f, check, in.In) }),
			On("no", func(*Flow) Ref[int] { return in }))
	})
}

func choiceOf(f *Flow, in Ref[int]) Ref[int] {
	n := Do(f, check, in.In)
	return Choose(f, "outer", constant("a"), On("a", func(f *Flow) Ref[int] {
		return Choose(f, "inner", constant("b"), Else(func(*Flow) Ref[int] { return n }))
	}))
}

func itemsOfItems(f *Flow, in Ref[int]) EachRef[int] {
	return Each(f, "e", func(v Scope) []int { return []int{in.In(v), in.In(v) + 1} }, func(f *Flow, n Ref[int]) Ref[int] {
		Do(f, check, n.In)
		return n
	})
}

func TestSleepsAndSwitchesDoWhatTheySay(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0).UTC()
	s := Define("waits", 1, func(f *Flow, in Ref[string]) Ref[None] {
		Sleep(f, time.Minute)
		Sleep(f, func(Scope) time.Duration { return time.Minute })
		SleepUntil(f, constant(start.Add(time.Hour)))
		Switch(f, in.In, Name("route"),
			When("a", func(f *Flow) { Do(f, echo, in.In, Name("did-a")) }),
			Otherwise(func(f *Flow) { Do(f, echo, in.In, Name("did-other")) }))
		If(f, func(v Scope) bool { return in.In(v) == "a" }, func(f *Flow) { Do(f, echo, in.In, Name("then-a")) }, func(f *Flow) { Do(f, echo, in.In, Name("else-b")) })
		If(f, func(v Scope) bool { return in.In(v) == "a" }, func(f *Flow) { Do(f, echo, in.In, Name("only-a")) }, nil)
		Pivot(f)
		return Ref[None]{}
	})
	a, b := driveFlow(t, s, "a", nil), driveFlow(t, s, "b", nil)
	require.Equal(t, []string{"do did-a", "do then-a", "do only-a"}, a.paths)
	require.Equal(t, []string{"do did-other", "do else-b"}, b.paths)
	require.Equal(t, start.Add(time.Hour), a.now)
	require.True(t, a.state.PastPivot)
}

func TestSagaOptionsGoIntoThePlan(t *testing.T) {
	t.Parallel()
	type deep struct {
		Users map[string][]*flowUser `json:"users"`
		Note  string                 `json:"note" atone:"search"`
		Self  *deep
	}
	s := Define("opts", 1, func(f *Flow, in Ref[deep]) Ref[None] {
		Do(f, check, constant(1), Name("quick"), WithRetry(Retry{MaxAttempts: 2}), WithTimeout(time.Second))
		return Ref[None]{}
	}, Deadline(time.Hour), Slow(time.Minute), Description("does it"), OnFailure(onFails), Searchable("sku", "note"), Secret("pin"))
	p, err := s.Plan()
	require.NoError(t, err)
	require.Equal(t, []string{"email", "pin"}, p.Secret)
	require.Equal(t, []string{"note", "sku"}, p.Searchable)
	require.Equal(t, domain.Duration(time.Hour), p.Deadline)
	require.Equal(t, domain.Duration(time.Minute), p.Slow)
	require.Equal(t, "does it", p.Description)
	require.Equal(t, "tell-ops", p.OnFailure.Name)
	spec := p.Root.Children[0].Action
	require.Equal(t, 2, spec.Retry.MaxAttempts)
	require.Equal(t, domain.Duration(time.Second), spec.Timeout)
	require.Len(t, s.def.Actions, 2)
	require.Equal(t, 5, s.def.Actions[0].Spec.Retry.MaxAttempts, "the action itself keeps its policy")
	require.Equal(t, "opts", s.Name())
	require.Equal(t, 1, s.Version())

	text, err := json.Marshal(p)
	require.NoError(t, err)
	again, err := domain.ParsePlan(text)
	require.NoError(t, err)
	require.Equal(t, p.Hash(), again.Hash())
	require.Error(t, s.def.Input.Check(json.RawMessage(`[]`)))
}

// The report that the machine writes is what handlers read.
func TestFailedReadsTheMachinesReport(t *testing.T) {
	t.Parallel()
	want := domain.FailureReport{Run: domain.RunIDForKey("s", "k"), Saga: "s", Version: 2, Input: json.RawMessage(`1`), State: domain.RunCompensating,
		Step: "a", Cause: &domain.Failure{Message: "m"}, StepInput: json.RawMessage(`2`), Undone: []string{"x"}, NotUndone: []string{"y"}}
	raw, err := payload.Encode(want)
	require.NoError(t, err)
	got, err := payload.Decode[Failed](raw)
	require.NoError(t, err)
	require.Equal(t, want, domain.FailureReport(got))
	require.Equal(t, PlannedResult{Step: "s"}, PlannedResult(domain.PlannedResult{Step: "s"}))
}
