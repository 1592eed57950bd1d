package saga

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flow is a saga around steps that return nothing.
func flowOf(build func(f *Flow, in Ref[int]), opts ...Option) *Saga[int, None] {
	return Define("s", 1, func(f *Flow, in Ref[int]) Ref[None] { build(f, in); return Ref[None]{} }, opts...)
}

func other[In, Out any](a *Action[In, Out]) *Action[In, Out] { b := *a; return &b }

var (
	badAction  = &Action[int, int]{Name: "not named well", Retry: Retry{Multiplier: 0.5}}
	sendsChild = Define("letters", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, post, in.In) })
	wrongChild = Define("wrong", 0, func(f *Flow, in Ref[int]) Ref[int] { return Do(f, check, in.In) })
	otherChild = Define("letters", 1, func(f *Flow, in Ref[string]) Ref[string] { return Do(f, echo, in.In) })
	loops      = &Action[PlannerIn[int], Steps[int]]{Name: "loops", Effect: NoEffect, Do: func(context.Context, PlannerIn[int]) (Steps[int], error) {
		return Steps[int]{Done: true}, nil
	}}
	posts = &Action[PlannerIn[int], Steps[int]]{Name: "posts", Effect: Irreversible, FailsCleanly: true, Do: loops.Do}
)

func seven(Scope) int      { return 7 }
func text(Scope) string    { return "t" }
func yes(Scope) bool       { return true }
func doCheck(f *Flow)      { Do(f, check, seven) }
func doPost(f *Flow)       { Do(f, post, text) }
func noItems(Scope) []int  { return nil }
func letters(f *Flow)      { Do(f, post, text, OnFail(Forward)) }
func checkForward(f *Flow) { Do(f, check, seven, OnFail(Forward)) }

// Each definition has exactly the errors that are listed, each as path and a part of the reason.
func TestDefinitionErrors(t *testing.T) {
	t.Parallel()
	type wrong struct{ path, reason string }
	var leaked *Flow
	for name, c := range map[string]struct {
		saga interface{ Err() error }
		want []wrong
	}{
		"name and version": {Define("a b", 0, func(f *Flow, in Ref[int]) Ref[int] { return Do(f, check, in.In) }),
			[]wrong{{"", "bad saga name"}, {"", "version is 0"}}},
		"no build function":  {Define[int, int]("s", 1, nil), []wrong{{"", "no build function"}}},
		"build panics":       {flowOf(func(*Flow, Ref[int]) { panic("oh") }), []wrong{{"", "its function panicked at check_test.go:"}}},
		"branch panics":      {flowOf(func(f *Flow, _ Ref[int]) { If(f, yes, func(*Flow) { panic("oh") }, nil) }), []wrong{{"if-1", "panicked"}}},
		"no steps":           {flowOf(func(*Flow, Ref[int]) {}), []wrong{{"", "it has no steps"}}},
		"nil flow":           {flowOf(func(*Flow, Ref[int]) { doCheck(nil) }), []wrong{{"", "panicked"}}},
		"no output":          {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { doCheck(f); return Ref[int]{} }), []wrong{{"", "returns a Ref that no step made"}}},
		"bad options":        {flowOf(func(f *Flow, _ Ref[int]) { doCheck(f) }, Deadline(-1), Slow(0), Option{}), []wrong{{"", "Deadline is -1ns"}, {"", "Slow is 0s"}}},
		"nil OnFailure":      {flowOf(func(f *Flow, _ Ref[int]) { doCheck(f) }, OnFailure(nil)), []wrong{{"", "action is nil"}}},
		"secret, searchable": {flowOf(func(f *Flow, _ Ref[int]) { doCheck(f) }, Secret("a"), Searchable("a")), []wrong{{"", `"a" is both secret and searchable`}, {"", `no type of the saga has a field "a"`}}},
		"bad tags": {Define("s", 1, func(f *Flow, _ Ref[struct {
			A int `atone:"scret"`
			B int `atone:"secret" json:"-"`
		}]) Ref[None] {
			doCheck(f)
			return Ref[None]{}
		}), []wrong{{"input", "use secret or search"}, {"input", "not written to JSON"}}},

		"types that JSON can't hold": {flowOf(func(f *Flow, _ Ref[int]) {
			Compute(f, "a", constant(struct {
				When   time.Time
				Done   chan int
				hidden func()
				Skip   func() `json:"-"`
			}{}))
			Compute(f, "b", constant(map[struct{ X int }]complex64{}))
		}), []wrong{{"a", "struct field Done is a chan int, which JSON can't hold"}, {"b", "a map key of type struct { X int }"}, {"b", "a complex64, which"}}},

		"duplicate names": {flowOf(func(f *Flow, _ Ref[int]) { doCheck(f); doCheck(f) }), []wrong{{"check", "two steps are named"}}},
		"duplicate names across branches": {flowOf(func(f *Flow, _ Ref[int]) { Parallel(f, doCheck, doCheck) }),
			[]wrong{{"check", "two steps are named"}}},
		"duplicate names in an each": {flowOf(func(f *Flow, _ Ref[int]) {
			doCheck(f)
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { doCheck(f); return Do(f, check, n.In) })
		}), []wrong{{"e/*/check", "two steps are named"}}},
		"reserved names": {flowOf(func(f *Flow, _ Ref[int]) {
			Do(f, check, seven, Name("plan"))
			Do(f, check, seven, Name("on-failure"))
			Do(f, check, seven, Name("return"))
		}), []wrong{{"plan", "reserved"}, {"on-failure", "reserved"}, {"return", "reserved"}}},
		"bad names": {flowOf(func(f *Flow, _ Ref[int]) {
			Do(f, check, seven, Name("a/b"))
			Do(f, check, seven, Name(""))
			Compute(f, "é", seven)
		}), []wrong{{"a/b", "bad step name"}, {"check", "Name is empty"}, {"é", "bad step name"}}},

		"bad actions": {flowOf(func(f *Flow, _ Ref[int]) {
			Do(f, badAction, seven)
			Do(f, badAction, seven)
			Do[int, int](f, nil, seven)
		}), []wrong{{"do-1", "has no Do"}, {"do-3", "action is nil"}}},
		"two meanings":          {flowOf(func(f *Flow, _ Ref[int]) { doCheck(f); Do(f, other(check), seven, Name("x")) }), []wrong{{"x", `two actions are named "check"`}}},
		"two meanings, handler": {flowOf(func(f *Flow, _ Ref[int]) { Do(f, handled(), seven) }, OnFailure(onFails)), []wrong{{"", `two actions are named "tell-ops"`}}},
		"nil functions":         {flowOf(nilFunctions), []wrong{{"check", "input function is nil"}, {"c", "function is nil"}, {"e", "list function is nil"}, {"e", "body is nil"}, {"if-1", "condition is nil"}, {"if-1", "then is nil"}, {"switch-1", "choosing function is nil"}, {"sleep-1", "function is nil"}, {"sleep-2", "function is nil"}, {"paid", "correlation function is nil"}, {"loops", "input function is nil"}, {"letters", "input function is nil"}, {"parallel-1", "branch 1 is nil"}, {"switch-1", `branch "x" is nil`}, {"ch", `branch "x" is nil`}, {"ch", "no branches"}, {"ch", "choosing function is nil"}}},
		"empty branches":        {flowOf(emptyBranches), []wrong{{"parallel-1", "no branches"}, {"parallel-2", "branch 1 is empty"}, {"if-1", `branch "else" is empty`}, {"switch-1", "no branches"}, {"e", "body is empty"}}},
		"unreachable cases":     {flowOf(unreachableCases), []wrong{{"switch-1", `second branch for "a"`}, {"switch-1", "second branch for all other values"}, {"switch-1", `"otherwise": diagrams`}, {"switch-1", "a case is nil"}}},
		"after Return":          {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { r := Return(f, seven); doCheck(f); return r }), []wrong{{"check", "unreachable: it comes after Return"}}},
		"Return not returned":   {Define("s", 1, func(f *Flow, in Ref[int]) Ref[int] { n := Do(f, check, in.In); Return(f, seven); return n }), []wrong{{"return-1", "not what its function returns"}}},
		"Return in a branch":    {flowOf(func(f *Flow, _ Ref[int]) { If(f, yes, func(f *Flow) { Return(f, seven) }, nil) }), []wrong{{"return-1", "a function that returns nothing"}}},
		"flow used late": {flowOf(func(f *Flow, _ Ref[int]) {
			Parallel(f, func(f *Flow) { leaked = f; doCheck(f) })
			Compute(leaked, "x", seven)
		}), []wrong{{"x", "after the function that got it has returned"}}},
		"flow of the outer":        {flowOf(func(f *Flow, _ Ref[int]) { Parallel(f, func(g *Flow) { doCheck(g); Compute(f, "x", seven) }) }), []wrong{{"x", "enclosing function's Flow"}}},
		"wrong child":              {flowOf(func(f *Flow, in Ref[int]) { Child(f, wrongChild, in.In); Child[int, int](f, nil, in.In) }), []wrong{{"wrong", "is wrong: see there"}, {"", "version is 0"}, {"child-1", "child saga is nil"}}},
		"two children of one name": {flowOf(func(f *Flow, _ Ref[int]) { Child(f, otherChild, text); Child(f, sendsChild, text, Name("x")) }), []wrong{{"x", "two sagas are named"}}},
		"await without a name":     {flowOf(func(f *Flow, _ Ref[int]) { Await[int](f, ""); AwaitEvent[int](f, "run.x", text) }), []wrong{{"await-1", "without a name"}, {"run.x", "no app can emit"}}},
		"default of another type": {flowOf(func(f *Flow, _ Ref[int]) {
			Await[int](f, "a", Within(1), DefaultTo("x"))
			Await[int](f, "b", DefaultTo(1))
		}), []wrong{{"a", "DefaultTo is a string, but the step's output is a int"}, {"b", "DefaultTo without Within"}}},
		"bad option values": {flowOf(badOptions), []wrong{{"e", "Concurrency is -2"}, {"e", "Tolerate is -1"}, {"check", `OnFail("sideways")`}, {"check", "WithTimeout is -1s"}, {"check", "Max (1s) is below Initial (1m0s)"}, {"post", "needs a reason"}, {"a", "Within is 0s"}, {"loops", "MaxRounds is 0"}, {"loops", "Uses names a nil action"}, {"sleep-1", "sleeps for -1ns"}, {"b", "NonRetryable"}, {"b", "Name is given twice"}, {"b", "an option is nil"}, {"c", "DefaultTo: write as JSON"}, {"c", "a func(), which JSON can't hold"}}},
		"accepting what is undoable": {flowOf(func(f *Flow, _ Ref[int]) {
			Do(f, check, seven, AcceptIrreversible("so"))
		}), []wrong{{"check", "nothing to accept"}}},
		"all at once, with the saga":  {Define("x y", 1, func(f *Flow, in Ref[int]) Ref[int] { doCheck(f); doCheck(f); panic("end") }), []wrong{{"", "bad saga name"}, {"check", "two steps"}, {"", "panicked"}}},
		"same name as the child's":    {Define("letters", 1, func(f *Flow, in Ref[int]) Ref[string] { return Child(f, sendsChild, text) }), []wrong{{"letters", "this saga's own name and version"}}},
		"duplicate signal":            {flowOf(func(f *Flow, _ Ref[int]) { Await[int](f, "a"); Await[int](f, "a") }), []wrong{{"a", "two steps are named"}}},
		"item of a nil-bodied choice": {flowOf(func(f *Flow, _ Ref[int]) { Choose[int](f, "c", text); doCheck(f) }), []wrong{{"c", "no branches"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []wrong
			for _, e := range definitionErrors(t, c.saga.Err()) {
				got = append(got, wrong{e.Path, e.Reason})
			}
			for i, w := range c.want {
				found := false
				for j, g := range got {
					if g.path == w.path && strings.Contains(g.reason, w.reason) {
						got = append(got[:j], got[j+1:]...)
						found = true
						break
					}
				}
				require.True(t, found, "missing error %d: %v\nleft of what was reported: %q", i, w, got)
			}
			require.Empty(t, got, "errors too many")
		})
	}
}

func definitionErrors(t *testing.T, err error) []*DefinitionError {
	t.Helper()
	require.Error(t, err)
	var out []*DefinitionError
	for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
		var d *DefinitionError
		require.ErrorAs(t, e, &d)
		require.Contains(t, e.Error(), d.Reason)
		out = append(out, d)
	}
	return out
}

func handled() *Action[int, int] {
	a := other(check)
	a.OnFailure = other(onFails)
	return a
}

func nilFunctions(f *Flow, _ Ref[int]) {
	Do(f, check, nil)
	Compute[int](f, "c", nil)
	Each[int, int](f, "e", nil, nil)
	If(f, nil, nil, nil)
	Switch(f, nil, When("x", nil))
	Sleep(f, (func(Scope) time.Duration)(nil))
	SleepUntil(f, nil)
	AwaitEvent[int](f, "paid", nil)
	Plan(f, "loops", loops, nil)
	Child(f, otherChild, nil)
	Parallel(f, nil)
	Choose(f, "ch", nil, On[int]("x", nil))
}

func emptyBranches(f *Flow, _ Ref[int]) {
	Parallel(f)
	Parallel(f, func(*Flow) {}, doCheck)
	If(f, yes, func(f *Flow) { Compute(f, "x", seven) }, func(*Flow) {})
	Switch(f, text)
	Each(f, "e", noItems, func(*Flow, Ref[int]) Ref[None] { return Ref[None]{} })
}

func unreachableCases(f *Flow, _ Ref[int]) {
	c := func(name string) func(*Flow) { return func(f *Flow) { Compute(f, name, seven) } }
	Switch(f, text, When("a", c("x1")), When("a", c("x2")), Otherwise(c("x3")), Otherwise(c("x4")), When("otherwise", c("x5")), nil)
}

func badOptions(f *Flow, _ Ref[int]) {
	Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { return Do(f, check, n.In) }, Concurrency(-2), Tolerate(-1))
	Do(f, check, seven, OnFail("sideways"), WithTimeout(-time.Second), WithRetry(Retry{Initial: time.Minute, Max: time.Second}))
	Await[int](f, "a", Within(0))
	Plan(f, "loops", loops, seven, MaxRounds(0), Uses(nil))
	Sleep(f, -time.Nanosecond)
	Do(f, check, seven, WithRetry(Retry{NonRetryable: []error{errors.New("x")}}), Name("a1"), Name("b"), nil)
	Await[func()](f, "c", Within(1), DefaultTo(func() {}))
	Do(f, post, text, AcceptIrreversible(" "))
}

// What a closure may read.
func TestRefsAreReadOnlyWhereTheyHaveAValue(t *testing.T) {
	t.Parallel()
	var foreign Ref[int]
	flowOf(func(f *Flow, in Ref[int]) { foreign = Do(f, check, in.In) })
	for name, c := range map[string]struct {
		build func(f *Flow, in Ref[int])
		// path and reason, empty for a good definition
		path, reason string
	}{
		"never made": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Do(f, check, func(v Scope) int { return r.In(v) })
		}, "check", "reads a Ref that no step made"},
		"before it is made": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Do(f, check, func(v Scope) int { return r.In(v) })
			r = Do(f, charge, seven)
		}, "check", "reads charge, which comes after it"},
		"its own": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			r = Do(f, check, func(v Scope) int { return r.In(v) })
		}, "check", "reads check, which is its own output"},
		"outside its branch": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			If(f, yes, func(f *Flow) { r = Do(f, charge, seven) }, nil)
			Do(f, check, func(v Scope) int { return r.In(v) })
		}, "check", `reads charge, which exists only inside the branch "then" of if-1`},
		"asking Ok outside its branch": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Switch(f, text, When("x", func(f *Flow) { r = Do(f, charge, seven) }))
			Compute(f, "c", func(v Scope) bool { return r.Ok(v) })
		}, "c", `reads charge, which exists only inside the branch "x" of switch-1`},
		"in the branch beside": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			If(f, yes, func(f *Flow) { r = Do(f, charge, seven) }, func(f *Flow) { Do(f, check, func(v Scope) int { return r.In(v) }) })
		}, "check", "reads charge, which is in another branch of if-1"},
		"beside it in a parallel": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Parallel(f, func(f *Flow) { r = Do(f, charge, seven) }, func(f *Flow) { Do(f, check, func(v Scope) int { return r.In(v) }) })
		}, "check", "reads charge, which runs beside it in parallel-1"},
		"after the parallel": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Parallel(f, func(f *Flow) { Parallel(f, func(f *Flow) { r = Do(f, charge, seven) }) })
			Do(f, check, func(v Scope) int { return r.In(v) })
		}, "", ""},
		"outside its each": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { r = Do(f, charge, n.In); return r })
			Do(f, check, func(v Scope) int { return r.In(v) })
		}, "check", "reads e/*/charge, which exists only inside e, once for each item"},
		"an item outside its each": {func(f *Flow, _ Ref[int]) {
			var r Ref[int]
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { r = n; return Do(f, charge, n.In) })
			Do(f, check, func(v Scope) int { return r.In(v) })
		}, "check", "reads the item of e, which exists only inside e"},
		"an each inside itself": {func(f *Flow, _ Ref[int]) {
			var r EachRef[int]
			r = Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] {
				return Do(f, charge, func(v Scope) int { return len(r.Failed(v)) })
			})
		}, "e/*/charge", "reads e, which is its own output"},
		"outer steps inside an each": {func(f *Flow, in Ref[int]) {
			r := Do(f, charge, in.In)
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] {
				Each(f, "e", noItems, func(f *Flow, m Ref[int]) Ref[int] {
					return Do(f, check, func(v Scope) int { return r.In(v) + in.In(v) + n.In(v) + m.In(v) })
				})
				return n
			})
		}, "", ""},
		"another saga's": {func(f *Flow, _ Ref[int]) { Do(f, check, foreign.In) }, "check", "reads check, which belongs to another saga"},
		"after a panic on made-up values": {func(f *Flow, in Ref[int]) {
			Do(f, check, func(v Scope) int { return []int{}[in.In(v)] })
		}, "", ""},
		"in steps and divisions by what is read": {func(f *Flow, in Ref[int]) {
			var late Ref[float64]
			Do(f, check, func(v Scope) int {
				n := 0
				for i := 0; i < 3; i += in.In(v) {
					n += i/in.In(v) + int(late.In(v))
				}
				return n
			})
			late = Compute(f, "late", constant(1.5))
		}, "check", "reads late, which comes after it"},
		"behind pointers and in loops": {func(f *Flow, _ Ref[int]) {
			type tree struct {
				Next *struct{ Kids []*int }
				Tags map[string]int
				Raw  []byte
			}
			var late Ref[int]
			p := Compute(f, "p", constant(&tree{}))
			Do(f, check, func(v Scope) int {
				n := p.In(v).Tags["x"]
				for range p.In(v).Next.Kids {
					n += late.In(v)
				}
				return n
			})
			late = Do(f, charge, seven)
		}, "check", "reads charge, which comes after it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := flowOf(c.build).Err()
			if c.reason == "" {
				require.NoError(t, err)
				return
			}
			errs := definitionErrors(t, err)
			require.Len(t, errs, 1, "%v", err)
			require.Equal(t, c.path, errs[0].Path)
			require.Contains(t, errs[0].Reason, c.reason)
		})
	}

	hidden := Define("s", 1, func(f *Flow, in Ref[int]) (r Ref[int]) {
		If(f, yes, func(f *Flow) { r = Do(f, check, seven) }, nil)
		return r
	})
	require.ErrorContains(t, hidden.Err(), `returns the output of check, which exists only inside the branch "then" of if-1: use saga.Choose`)
}

func TestAFlowUsedAfterDefinePanics(t *testing.T) {
	t.Parallel()
	var kept *Flow
	flowOf(func(f *Flow, _ Ref[int]) { kept = f; doCheck(f) })
	require.PanicsWithValue(t, "saga: a Flow is used after Define has returned", func() { doCheck(kept) })
}

func TestAWrongSagaHasNoPlan(t *testing.T) {
	t.Parallel()
	s := flowOf(func(*Flow, Ref[int]) {})
	_, err := s.Plan()
	require.ErrorContains(t, err, `saga "s" v1: it has no steps`)
	_, err = s.compile()
	require.Error(t, err)
	_, err = (*Saga[int, int])(nil).compile()
	require.ErrorContains(t, err, "nil")
}
