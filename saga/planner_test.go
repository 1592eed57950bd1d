package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// doubling plans one round of two steps, then one that depends on their results, then ends.
var doubling = &Action[PlannerIn[int], Steps[int]]{Name: "doubling", Effect: NoEffect,
	Do: func(_ context.Context, in PlannerIn[int]) (Steps[int], error) {
		sum := 0
		if err := in.DecodeCarry(&sum); err != nil {
			return Steps[int]{}, err
		}
		for _, r := range in.Results {
			if r.Failed != "" {
				continue
			}
			var n int
			if err := r.Decode(&n); err != nil {
				return Steps[int]{}, err
			}
			sum += n
		}
		switch in.Round {
		case 1:
			b := Next(check, in.Input+1)
			b.Name = "again"
			c := NextStep{Name: "doomed", Action: "check", Input: json.RawMessage(`-1`), Rule: Ignore}
			return Steps[int]{Do: []NextStep{Next(check, in.Input), b, c}, Parallel: true}, nil
		case 2:
			return Steps[int]{Do: []NextStep{Next(charge, sum)}, Carry: sum}, nil
		}
		return Steps[int]{Done: true, Output: sum}, nil
	}}

func TestAPlannerSeesItsResultsAndIsUndone(t *testing.T) {
	t.Parallel()
	s := Define("agent", 1, func(f *Flow, in Ref[[]int]) Ref[[]int] {
		all := Each(f, "n", in.In, func(f *Flow, n Ref[int]) Ref[int] {
			return Plan(f, "grow", doubling, n.In, Uses(check, charge))
		})
		Do(f, check, func(v Scope) int { return 1000 - all.In(v)[0] })
		return all.Ref
	})
	r := driveFlow(t, s, []int{1, 2}, nil)
	require.Equal(t, domain.RunIsCompleted, r.state.End, "%v", r.state.Cause)
	require.Equal(t, `[60,100]`, string(r.state.Output))
	require.Equal(t, `1`, string(r.state.Step("n/0/grow/1/check").Input))
	require.Equal(t, `30`, string(r.state.Step("n/0/grow/2/charge").Output))

	r = driveFlow(t, s, []int{1000}, nil)
	require.Equal(t, domain.RunIsCompensated, r.state.End)
	require.Contains(t, r.paths, "undo n/0/grow/2/charge")
}

func TestAPlannersMistakesAreToldTogether(t *testing.T) {
	t.Parallel()
	actions := map[string]*definition.Action{}
	for _, a := range []AnyAction{check, charge, post} {
		c, err := a.compile()
		require.NoError(t, err)
		actions[c.Spec.Name] = c
	}
	node := func(r Rule) *domain.Node {
		return &domain.Node{Name: "p", Kind: domain.KindPlan, Rule: r, Action: &domain.ActionSpec{Name: "planner"}}
	}
	step := func(name, action string, in any, rule Rule) NextStep {
		return NextStep{Name: name, Action: action, Input: in, Rule: rule}
	}
	for name, c := range map[string]struct {
		answer any
		want   []string
	}{
		"not an answer":    {"hello", []string{"planner planner: answer: read"}},
		"carries a lot":    {Steps[int]{Do: []NextStep{Next(check, 1)}, Carry: strings.Repeat("x", 64<<10)}, []string{"its Carry is 65538 bytes; at most 65536 fit"}},
		"nothing":          {Steps[int]{}, []string{"returns no steps and is not Done"}},
		"done and more":    {Steps[int]{Done: true, Do: []NextStep{Next(check, 1)}}, []string{"sets Done and returns 1 steps"}},
		"unknown action":   {Steps[int]{Do: []NextStep{step("", "nope", 1, "")}}, []string{`step 1 "nope": unknown action "nope": register it`}},
		"duplicate":        {Steps[int]{Do: []NextStep{Next(check, 1), Next(check, 2)}}, []string{`step 2 "check": two steps of the round`}},
		"several":          {Steps[int]{Do: []NextStep{step("plan", "check", 1, ""), step("a b", "check", 1, ""), step("c", "check", "x", "up")}}, []string{`"plan": the name is reserved`, `"a b": bad name`, `rule "up"`, `input: it must be a whole number, not a text`}},
		"irreversible":     {Steps[int]{Do: []NextStep{Next(post, "a"), Next(check, 1)}}, []string{"post → check: post is irreversible"}},
		"beside":           {Steps[int]{Do: []NextStep{Next(check, 1), Next(post, "a")}, Parallel: true}, []string{"post → check"}},
		"nothing to leave": {Steps[int]{Do: []NextStep{{Action: "check", Input: 1, Accept: "why"}}}, []string{"nothing to accept"}},
	} {
		raw, err := payload.Encode(c.answer)
		require.NoError(t, err)
		round, err := definition.Expand(registered(actions), node(Backward), raw)
		require.Error(t, err, name)
		require.Zero(t, round, name)
		for _, w := range c.want {
			require.ErrorContains(t, err, w, name)
		}
		require.Equal(t, name == "unknown action", errors.Is(err, ErrUnknownAction), name)
	}
	for name, good := range map[string]Steps[int]{
		"irreversible last": {Do: []NextStep{Next(check, 1), Next(post, "a")}},
		"forward after":     {Do: []NextStep{Next(post, "a"), step("", "check", 1, Forward)}},
		"accepted":          {Do: []NextStep{{Action: "post", Input: "a", Accept: "cheap"}, Next(check, 1)}},
	} {
		raw, err := payload.Encode(good)
		require.NoError(t, err)
		round, err := definition.Expand(registered(actions), node(Backward), raw)
		require.NoError(t, err, name)
		require.Len(t, round.Inputs, 2, name)
		require.Len(t, round.Steps.Children, 2, name)
		require.Equal(t, domain.KindSequence, round.Steps.Kind)
	}
	raw, err := payload.Encode(Steps[int]{Do: []NextStep{Next(post, "a"), Next(check, 1)}})
	require.NoError(t, err)
	round, err := definition.Expand(registered(actions), node(Forward), raw)
	require.NoError(t, err, "past an explicit pivot, planned steps are forward by default")
	require.Equal(t, Forward, round.Steps.Children[1].Rule)

	accepting := node(Backward)
	accepting.Accepted = "cheap"
	round, err = definition.Expand(registered(actions), accepting, raw)
	require.NoError(t, err)
	require.Equal(t, "cheap", round.Steps.Children[0].Accepted)
	require.Empty(t, round.Steps.Children[1].Accepted)

	raw, err = payload.Encode(Steps[int]{Done: true, Output: 7})
	require.NoError(t, err)
	round, err = definition.Expand(registered(actions), node(Backward), raw)
	require.NoError(t, err)
	require.True(t, round.Done)
	require.Equal(t, `7`, string(round.Output))
	require.Error(t, PlannedResult{Step: "a", Round: 1, Output: json.RawMessage(`"x"`)}.Decode(new(int)))
}

func registered(actions map[string]*definition.Action) func(string) *definition.Action {
	return func(name string) *definition.Action { return actions[name] }
}

func FuzzExpand(f *testing.F) {
	f.Add([]byte(`{"do":[{"action":"check","input":1}],"output":null}`))
	f.Add([]byte(`{"done":true,"output":{"a":1}}`))
	f.Add([]byte(`{"do":[{"name":"x","action":"post","input":"a","rule":"ask","accept":"b"}],"parallel":true}`))
	actions := map[string]*definition.Action{}
	for _, a := range []AnyAction{check, post} {
		c, err := a.compile()
		require.NoError(f, err)
		actions[c.Spec.Name] = c
	}
	node := &domain.Node{Name: "p", Kind: domain.KindPlan, Action: &domain.ActionSpec{Name: "planner"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		round, err := definition.Expand(registered(actions), node, raw)
		if err != nil || round.Done {
			require.Nil(t, round.Steps)
			return
		}
		require.Len(t, round.Steps.Children, len(round.Inputs))
		names := map[string]bool{}
		for i, n := range round.Steps.Children {
			require.False(t, names[n.Name])
			names[n.Name] = true
			require.True(t, json.Valid(round.Inputs[i]), fmt.Sprint(i))
			require.NotEmpty(t, n.Rule)
		}
	})
}
