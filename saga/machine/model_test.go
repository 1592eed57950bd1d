package machine

import (
	"encoding/json"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// planner draws random plans in which every kind of node occurs.
type planner struct {
	t      *rapid.T
	n      int
	budget int
}

func (p *planner) bool(label string) bool { return rapid.Bool().Draw(p.t, label) }

func (p *planner) one(n int, label string) bool { return rapid.IntRange(1, n).Draw(p.t, label) == 1 }

func (p *planner) name(prefix string) string {
	p.n++
	return fmt.Sprintf("%s%d", prefix, p.n)
}

func drawPlan(t *rapid.T, steps int) *domain.Plan {
	p := &planner{t: t, budget: rapid.IntRange(1, steps).Draw(t, "budget")}
	plan := &domain.Plan{Saga: "random", Version: 1, Root: p.sequence(0)}
	if p.one(4, "saga OnFailure") {
		spec := p.action(false)
		plan.OnFailure = &spec
	}
	plan.Returns = p.one(4, "returns")
	if err := plan.Index(); err != nil {
		t.Fatal(err)
	}
	return plan
}

func (p *planner) sequence(depth int) *domain.Node {
	n := &domain.Node{Kind: domain.KindSequence}
	for range rapid.IntRange(1, 4).Draw(p.t, "steps") {
		if p.budget <= 0 && len(n.Children) > 0 {
			break
		}
		n.Children = append(n.Children, p.step(depth))
	}
	if last := n.Children[len(n.Children)-1]; p.bool("result") {
		n.Result = last.Name
	}
	return n
}

var kinds = []domain.Kind{domain.KindDo, domain.KindDo, domain.KindDo, domain.KindDo, domain.KindParallel, domain.KindEach, domain.KindSwitch,
	domain.KindSleep, domain.KindAwait, domain.KindChild, domain.KindPivot, domain.KindPlan, domain.KindCompute}

func (p *planner) step(depth int) *domain.Node {
	p.budget--
	kind := rapid.SampledFrom(kinds).Draw(p.t, "kind")
	if depth >= 3 {
		kind = domain.KindDo
	}
	n := &domain.Node{Kind: kind, Name: p.name(string(kind))}
	switch kind {
	case domain.KindDo:
		p.do(n)
	case domain.KindPlan:
		p.do(n)
		n.MaxRounds = rapid.IntRange(1, 3).Draw(p.t, "rounds")
	case domain.KindParallel:
		for range rapid.IntRange(1, 3).Draw(p.t, "branches") {
			n.Children = append(n.Children, p.sequence(depth+1))
		}
		n.Concurrency = rapid.IntRange(0, 2).Draw(p.t, "width")
	case domain.KindEach:
		n.Children = []*domain.Node{p.sequence(depth + 1)}
		n.Concurrency, n.Tolerate = rapid.IntRange(0, 2).Draw(p.t, "width"), rapid.IntRange(0, 2).Draw(p.t, "tolerate")
	case domain.KindSwitch:
		for range rapid.IntRange(1, 2).Draw(p.t, "cases") {
			n.Children = append(n.Children, p.sequence(depth+1))
			n.Cases = append(n.Cases, fmt.Sprint(len(n.Cases)))
		}
	case domain.KindAwait:
		n.Await = &domain.AwaitSpec{Signal: rapid.SampledFrom([]string{"red", "blue", ""}).Draw(p.t, "signal")}
		if n.Await.Signal == "" {
			n.Await.Event = "order.paid"
		}
		if p.bool("within") {
			n.Await.Timeout = domain.Duration(time.Minute)
			if p.bool("default") {
				n.Await.Default = json.RawMessage(`"default"`)
			}
		}
		n.Rule = p.rule()
	case domain.KindChild:
		n.Saga, n.Version = "child", 1
		n.Rule = p.rule()
	case domain.KindSleep, domain.KindCompute:
		n.Rule = p.rule()
	}
	return n
}

func (p *planner) do(n *domain.Node) {
	spec := p.action(true)
	n.Action, n.Rule = &spec, p.rule()
	if spec.Effect == domain.EffectIrreversible && p.bool("accepted") {
		n.Accepted = "a test"
	}
}

func (p *planner) rule() domain.Rule {
	return rapid.SampledFrom([]domain.Rule{domain.RuleBackward, domain.RuleBackward, domain.RuleBackward, domain.RuleForward, domain.RuleAsk, domain.RuleIgnore}).Draw(p.t, "rule")
}

func (p *planner) action(handler bool) domain.ActionSpec {
	spec := domain.ActionSpec{Name: p.name("act"), Retry: p.policy(), Timeout: domain.Duration(10 * time.Second), Probe: p.one(3, "probe"),
		Effect: rapid.SampledFrom([]domain.Effect{domain.EffectUndo, domain.EffectUndo, domain.EffectUndo, domain.EffectNone, domain.EffectIrreversible}).Draw(p.t, "effect")}
	if spec.Effect == domain.EffectUndo {
		spec.UndoRetry, spec.UndoTimeout = p.policy(), domain.Duration(10*time.Second)
	}
	if p.one(5, "beats") {
		spec.HeartbeatTimeout = domain.Duration(3 * time.Second)
	}
	if handler && p.one(5, "OnFailure") {
		h := p.action(false)
		spec.OnFailure = &h
	}
	return spec
}

func (p *planner) policy() domain.RetryPolicy {
	r := domain.RetryPolicy{MaxAttempts: rapid.SampledFrom([]int{1, 1, 2, 3, domain.Unlimited}).Draw(p.t, "attempts"), Initial: domain.Duration(time.Second),
		Multiplier: 2, Max: domain.Duration(5 * time.Second), Jitter: rapid.SampledFrom([]domain.Jitter{domain.JitterNone, domain.JitterFull}).Draw(p.t, "jitter")}
	if p.one(6, "elapsed") {
		r.MaxElapsed = domain.Duration(7 * time.Second)
	}
	if p.one(6, "total") {
		r.TotalTimeout = domain.Duration(12 * time.Second)
	}
	return r
}

// try is an attempt that some worker of the model has.
type try struct {
	step string
	dir  domain.Direction
	n    int
	// reported means that its worker has told the outcome; dead that it never will.
	reported, dead bool
	// applied means that its work is done, unheard of as yet.
	applied bool
	// key is the idempotency key of an undo.
	key     string
	outcome *Outcome
}

// world is what the handlers of the model change: the effects that exist, by step.
type world struct {
	effect map[string]bool
	tries  []*try
	// undone are the keys of the undos that somebody has carried out.
	undone map[string]bool
	// excused are the steps whose effect a person took upon himself, vouched those that a person
	// said were done.
	excused, vouched map[string]bool
}

// mayStillApply reports whether a worker is still at a do of the step.
func (w *world) mayStillApply(step string) bool {
	for _, a := range w.tries {
		if a.step == step && a.dir == domain.Do && !a.reported && !a.dead {
			return true
		}
	}
	return false
}
