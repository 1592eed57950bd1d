package saga

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga/internal/definition"
)

// flowGen draws a well-formed flow of integers.
type flowGen struct {
	*rapid.T
	n int
	// forward says that no step fails backward, so that irreversible ones may stand anywhere.
	forward bool
	// points counts the points of no return.
	points int
}

func (g *flowGen) name() NameOption {
	g.n++
	return Name(fmt.Sprintf("s%d", g.n))
}

// optsOf returns options for a kind of step that has a failure rule.
func optsOf[O any](g *flowGen) []O {
	opts := []O{any(g.name()).(O)}
	if g.forward {
		opts = append(opts, any(OnFail(Forward)).(O))
	}
	return opts
}

// reads draws an input that reads some of the refs in sight, and checks each.
func (g *flowGen) reads(seen []Ref[int]) func(Scope) int {
	var from []Ref[int]
	for range rapid.IntRange(0, 3).Draw(g.T, "reads") {
		from = append(from, rapid.SampledFrom(seen).Draw(g.T, "ref"))
	}
	return func(v Scope) int {
		sum := 1
		for _, r := range from {
			sum += r.In(v)
		}
		return sum % 1000
	}
}

// block adds steps and returns the refs that those after it may read.
func (g *flowGen) block(f *Flow, seen []Ref[int], depth int) []Ref[int] {
	for range rapid.IntRange(1, 4).Draw(g.T, "steps") {
		seen = append(seen[:len(seen):len(seen)], g.step(f, seen, depth)...)
	}
	return seen
}

// step adds one step and returns what it makes readable.
func (g *flowGen) step(f *Flow, seen []Ref[int], depth int) []Ref[int] {
	kinds := []string{"check", "charge", "compute", "sleep", "await", "event", "child", "plan", "pivot", "letter"}
	if depth > 0 {
		kinds = append(kinds, "parallel", "each", "if", "switch", "choose")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(g.T, "kind"); kind {
	case "check":
		return []Ref[int]{Do(f, check, g.reads(seen), optsOf[DoOption](g)...)}
	case "charge":
		return []Ref[int]{Do(f, charge, g.reads(seen), optsOf[DoOption](g)...)}
	case "compute":
		g.n++
		return []Ref[int]{Compute(f, fmt.Sprintf("s%d", g.n), g.reads(seen))}
	case "sleep":
		Sleep(f, time.Minute)
	case "await":
		return []Ref[int]{Await[int](f, "go", g.name())}
	case "event":
		return []Ref[int]{AwaitEvent[int](f, "paid", constant("x"), g.name())}
	case "child":
		return []Ref[int]{Child(f, genChild, g.reads(seen), optsOf[ChildOption](g)...)}
	case "plan":
		g.n++
		opts := append(optsOf[PlanOption](g)[1:], Uses(check, charge)) // named by its argument
		return []Ref[int]{Plan(f, fmt.Sprintf("p%d", g.n), doubling, g.reads(seen), opts...)}
	case "pivot", "letter":
		if g.forward {
			g.points++
			if kind == "pivot" {
				Pivot(f)
			} else {
				Do(f, post, text, optsOf[DoOption](g)...)
			}
		}
	default:
		return g.composite(kind, f, seen, depth-1)
	}
	Compute(f, g.fresh(), seven)
	return nil
}

func (g *flowGen) fresh() string {
	g.n++
	return fmt.Sprintf("s%d", g.n)
}

func (g *flowGen) composite(kind string, f *Flow, seen []Ref[int], depth int) []Ref[int] {
	inner := func(f *Flow) { g.block(f, seen, depth) }
	returns := func(f *Flow) Ref[int] {
		in := g.block(f, seen, depth)
		if rapid.Bool().Draw(g.T, "return") {
			return Return(f, g.reads(in))
		}
		return rapid.SampledFrom(in).Draw(g.T, "returned")
	}
	choose := constant("a")
	switch kind {
	case "parallel":
		var out []Ref[int]
		join := func(f *Flow) { out = append(out, g.block(f, seen, depth)[len(seen):]...) }
		Parallel(f, join, join)
		return out
	case "each":
		n := rapid.IntRange(0, 3).Draw(g.T, "items")
		each := Each(f, g.fresh(), func(v Scope) []int { return make([]int, n) }, func(f *Flow, item Ref[int]) Ref[int] {
			in := g.block(f, append(seen[:len(seen):len(seen)], item), depth)
			return rapid.SampledFrom(in).Draw(g.T, "result")
		}, Concurrency(rapid.SampledFrom([]int{1, 2, Unlimited}).Draw(g.T, "width")))
		return []Ref[int]{Compute(f, g.fresh(), func(v Scope) int { return len(each.In(v)) + len(each.Failed(v)) })}
	case "if":
		If(f, func(Scope) bool { return false }, inner, inner)
	case "switch":
		Switch(f, choose, When("b", inner), Otherwise(inner))
	case "choose":
		return []Ref[int]{Choose(f, g.fresh(), choose, On("a", returns), On("b", returns))}
	}
	return nil
}

var genChild = Define("gen-child", 1, func(f *Flow, in Ref[int]) Ref[int] { return Do(f, charge, in.In) })

func (g *flowGen) define(end func(f *Flow)) *Saga[int, int] {
	return Define("random", 1, func(f *Flow, in Ref[int]) Ref[int] {
		seen := g.block(f, []Ref[int]{in}, 3)
		if end != nil {
			end(f)
		}
		return rapid.SampledFrom(seen).Draw(g.T, "output")
	})
}

// Every well-formed flow compiles, has unique keys and code for each node, and runs to its end
// with every ref that it reads.
func TestRandomFlows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		g := &flowGen{T: rt, forward: rapid.Bool().Draw(rt, "forward")}
		s := g.define(nil)
		require.NoError(rt, s.Err())
		keys := map[string]bool{}
		s.def.Plan.Root.Walk(func(n *domain.Node) {
			if n.Kind == domain.KindSequence {
				return
			}
			require.False(rt, keys[n.Key], "two nodes have the key %s", n.Key)
			keys[n.Key] = true
			require.NotEmpty(rt, n.Rule, n.Key)
			code := s.def.Code[n.Key]
			switch n.Kind {
			case domain.KindDo, domain.KindChild, domain.KindCompute:
				require.NotNil(rt, code.Value, n.Key)
			case domain.KindPlan:
				require.NotNil(rt, s.def.Code[n.Key+"/*/"+domain.PlannerStep].Value, n.Key)
			case domain.KindEach:
				require.NotNil(rt, code.Items, n.Key)
			case domain.KindSwitch:
				require.NotNil(rt, code.Choose, n.Key)
			case domain.KindSleep:
				require.NotNil(rt, code.Rest, n.Key)
			case domain.KindAwait:
				require.Equal(rt, n.Await.Event != "", code.Correlation != nil, n.Key)
			}
		})
		require.Equal(rt, s.def.Plan.Returns, s.def.Code[definition.ReturnKey].Value != nil)
		text, err := json.Marshal(s.def.Plan)
		require.NoError(rt, err)
		again, err := domain.ParsePlan(text)
		require.NoError(rt, err)
		require.Equal(rt, s.def.Plan.Hash(), again.Hash())
		require.Equal(rt, diagram.Mermaid(s.def.Plan), diagram.Mermaid(again))

		r := driveFlow(rt, s, 5, map[string]json.RawMessage{"go": json.RawMessage(`1`), "paid": json.RawMessage(`2`)})
		require.Equal(rt, domain.RunIsCompleted, r.state.End, "%v", r.state.Cause)
	})
}

// However a flow looks, a step that fails backward is refused at the end of one with a point of
// no return, and only there.
func TestRandomFlowsKeepTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		g := &flowGen{T: rt, forward: rapid.Bool().Draw(rt, "forward")}
		s := g.define(func(f *Flow) { Do(f, check, seven, Name("last"), OnFail(Backward)) })
		if g.points == 0 {
			require.NoError(rt, s.Err())
			return
		}
		require.ErrorContains(rt, s.Err(), "→ last: ")
	})
}
