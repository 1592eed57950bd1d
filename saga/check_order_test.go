package saga

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// Rule 9: nothing that fails backward after, or beside, what can't be undone.
func TestOrderOfEveryPath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		build func(f *Flow)
		want  map[string]string // reasons by path; empty for a good definition
	}{
		"irreversible last": {func(f *Flow) { doCheck(f); doPost(f) }, nil},
		"backward after":    {func(f *Flow) { doPost(f); doCheck(f) }, map[string]string{"check": "post → check: post is irreversible, and a failure would leave its effect behind; make check Forward, move it before post, give post an Undo, or accept with AcceptIrreversible(reason) on post"}},
		"forward after":     {func(f *Flow) { doPost(f); checkForward(f) }, nil},
		"ask and ignore after": {func(f *Flow) {
			doPost(f)
			Do(f, check, seven, OnFail(Ask))
			Do(f, charge, seven, OnFail(Ignore))
		}, nil},
		"accepted":          {func(f *Flow) { Do(f, post, text, AcceptIrreversible("only a newsletter")); doCheck(f) }, nil},
		"every later step":  {func(f *Flow) { doPost(f); doCheck(f); Do(f, charge, seven) }, map[string]string{"check": "post → check", "charge": "post → charge"}},
		"pivot makes later": {func(f *Flow) { doCheck(f); Pivot(f); Do(f, charge, seven); doPost(f) }, nil},
		"backward after pivot": {func(f *Flow) { Pivot(f); Do(f, check, seven, OnFail(Backward)) },
			map[string]string{"check": "pivot-1 → check: pivot-1 is the point of no return; make check Forward, move it before pivot-1"}},
		"what fails only by a bug": {func(f *Flow) {
			doPost(f)
			Compute(f, "c", seven)
			Sleep(f, time.Second)
			Await[int](f, "a")
			Await[int](f, "b", Within(1), DefaultTo(1))
			If(f, yes, checkForward, nil)
		}, nil},
		"an await that may run out":   {func(f *Flow) { doPost(f); Await[int](f, "a", Within(1)) }, map[string]string{"a": "post → a"}},
		"a compute told to turn back": {func(f *Flow) { doPost(f); Compute(f, "c", seven, OnFail(Backward)) }, map[string]string{"c": "post → c"}},
		"inside a branch":             {func(f *Flow) { If(f, yes, doPost, doCheck); Do(f, charge, seven) }, map[string]string{"charge": "post → charge"}},
		"pivot in one branch only": {func(f *Flow) {
			If(f, yes, func(f *Flow) { Pivot(f) }, doCheck)
			Do(f, charge, seven)
		}, map[string]string{"charge": "pivot-1 → charge"}},
		"pivot in each branch": {func(f *Flow) {
			If(f, yes, func(f *Flow) { Pivot(f) }, func(f *Flow) { Pivot(f) })
			Do(f, charge, seven)
		}, nil},
		"pivot in each case, but not every value": {func(f *Flow) {
			Switch(f, text, When("a", func(f *Flow) { Pivot(f) }))
			Do(f, charge, seven)
		}, map[string]string{"charge": "pivot-1 → charge"}},
		"beside in a parallel": {func(f *Flow) { Parallel(f, doPost, doCheck) },
			map[string]string{"check": "post ∥ check, which runs beside it in parallel-1 and may fail after it: post is irreversible"}},
		"forward beside":        {func(f *Flow) { Parallel(f, doPost, checkForward) }, nil},
		"after the parallel":    {func(f *Flow) { Parallel(f, doPost, checkForward); Do(f, charge, seven) }, map[string]string{"charge": "post → charge"}},
		"pivot in a parallel":   {func(f *Flow) { Parallel(f, func(f *Flow) { Pivot(f) }, doCheck) }, map[string]string{"check": "pivot-1 ∥ check"}},
		"after such a parallel": {func(f *Flow) { Parallel(f, func(f *Flow) { Pivot(f) }, checkForward); Do(f, charge, seven) }, nil},
		"deep beside": {func(f *Flow) {
			Parallel(f, func(f *Flow) { If(f, yes, doPost, nil) }, func(f *Flow) {
				Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { return Do(f, check, n.In) })
			})
		}, map[string]string{"e/*/check": "post ∥ e/*/check"}},
		"two beside each other": {func(f *Flow) { Parallel(f, doPost, func(f *Flow) { Do(f, post, text, Name("post2")) }) },
			map[string]string{"post": "post2 ∥ post", "post2": "post ∥ post2"}},
		"items are beside each other": {func(f *Flow) {
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { Do(f, check, n.In); doPost(f); return n })
		}, map[string]string{"e/*/check": "e/*/post ∥ e/*/check, which another item of e may fail at", "e/*/post": "e/*/post ∥ e/*/post, which another item of e"}},
		"forward items": {func(f *Flow) { Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { letters(f); return n }) }, nil},
		"after the each": {func(f *Flow) {
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { letters(f); return n })
			doCheck(f)
		}, map[string]string{"check": "e/*/post → check"}},
		"a pivot in an each may never be passed": {func(f *Flow) {
			Each(f, "e", noItems, func(f *Flow, n Ref[int]) Ref[int] { Pivot(f); return n })
			doCheck(f)
		}, map[string]string{"check": "e/*/pivot-1 → check"}},
		"a child that can't be undone": {func(f *Flow) { Child(f, sendsChild, text); doCheck(f) },
			map[string]string{"check": "letters → check: saga letters can't be undone after its step post; make check Forward, move it before letters, or make post of saga letters undoable"}},
		"a child that can":        {func(f *Flow) { Child(f, otherChild, text); doCheck(f) }, nil},
		"an irreversible planner": {func(f *Flow) { Plan(f, "p", posts, seven) }, map[string]string{"p": "p → p: posts is irreversible, and a failure would leave its effect behind, and its planner is called again after each round; make p Forward, give posts an Undo"}},
		"a planner of irreversible steps": {func(f *Flow) { Plan(f, "p", loops, seven, Uses(check, post), OnFail(Forward)); doCheck(f) },
			map[string]string{"check": "p → check: post is irreversible"}},
		"a planner of accepted ones": {func(f *Flow) { Plan(f, "p", loops, seven, Uses(post), AcceptIrreversible("so")); doCheck(f) }, nil},
		"a forward planner":          {func(f *Flow) { Plan(f, "p", posts, seven, OnFail(Forward)); checkForward(f) }, nil},
		"a planner after":            {func(f *Flow) { doPost(f); Plan(f, "p", loops, seven) }, map[string]string{"p": "post → p"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := flowOf(func(f *Flow, _ Ref[int]) { c.build(f) }).Err()
			if len(c.want) == 0 {
				require.NoError(t, err)
				return
			}
			errs := definitionErrors(t, err)
			require.Len(t, errs, len(c.want), "%v", err)
			for _, e := range errs {
				require.NotEmpty(t, c.want[e.Path], "%v", e)
				require.Contains(t, e.Reason, c.want[e.Path])
			}
		})
	}
}

func TestDefaultRules(t *testing.T) {
	t.Parallel()
	s := flowOf(func(f *Flow, _ Ref[int]) {
		Do(f, charge, seven)
		Pivot(f)
		doCheck(f)
		Do(f, check, seven, Name("ask"), OnFail(Ask))
		Parallel(f, doPost)
	})
	p, err := s.Plan()
	require.NoError(t, err)
	got := map[string]domain.Rule{}
	p.Root.Walk(func(n *domain.Node) {
		if n.Kind != domain.KindSequence {
			got[n.Key] = n.Rule
		}
	})
	require.Equal(t, map[string]domain.Rule{"charge": Backward, "pivot-1": Backward, "check": Forward, "ask": Ask, "parallel-1": Forward, "post": Forward}, got)
}
