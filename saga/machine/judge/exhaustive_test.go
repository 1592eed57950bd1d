package judge_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/judge"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// TestEveryStateOfSmallPlans walks through every state that runs of small plans can come to,
// breadth first: with every answer of handlers, probes, code, children and workers, each thing a
// person may do, and each signal. The judge reads every step of the way. From every state an end
// can be reached.
func TestEveryStateOfSmallPlans(t *testing.T) {
	t.Parallel()
	for _, p := range plans() {
		if p.large && !*deep {
			p.people, p.lost, p.late = min(p.people, 1), 0, 0
		}
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w := newWalk(t, p)
			w.walk()
			w.requireEnds()
			t.Logf("%d states, %d steps between them, %d ends, deepest %d events", len(w.states), w.steps, w.ends, w.deepest)
		})
	}
}

var deep = flag.Bool("judge.deep", false, "walk through all states of the larger plans, with losses and late outcomes: minutes")

// smallPlan is a plan, and how often what could go on for ever may happen in one run.
type smallPlan struct {
	name string
	root *domain.Node
	// with changes the plan as a whole.
	with func(*domain.Plan)
	// people is how often a person may act on what is stuck, lost how many attempts may be lost,
	// late how many of those that were given up may report, pauses how often the run is paused.
	people, lost, late, pauses int
	// large plans have hundreds of thousands of states: without -judge.deep nothing of theirs is
	// lost or late.
	large bool
}

// do is a step of the given attempts in each direction, one right after the other.
func do(name string, attempts int, with ...func(*domain.Node)) *domain.Node {
	n := machinetest.Do(name)
	n.Action.Retry, n.Action.UndoRetry = machinetest.Retries(attempts), machinetest.Retries(1)
	n.Action.Retry.Initial, n.Action.UndoRetry.Initial = 0, 0
	for _, w := range with {
		w(n)
	}
	return n
}

func probed(n *domain.Node)                     { n.Action.Probe = true }
func effect(e domain.Effect) func(*domain.Node) { return func(n *domain.Node) { n.Action.Effect = e } }
func rule(r domain.Rule) func(*domain.Node)     { return func(n *domain.Node) { n.Rule = r } }

func plans() []smallPlan {
	seq := machinetest.Seq
	node := func(k domain.Kind, name string, children ...*domain.Node) *domain.Node {
		return &domain.Node{Kind: k, Name: name, Children: children}
	}
	each := node(domain.KindEach, "each", seq(do("a", 1)))
	each.Tolerate = 1
	pick := node(domain.KindSwitch, "pick", seq(do("a", 1)), seq(do("b", 1)))
	pick.Cases = []string{"1", "2"}
	await := node(domain.KindAwait, "wait")
	await.Await = &domain.AwaitSpec{Signal: "go", Timeout: domain.Duration(time.Minute)}
	lenient := node(domain.KindAwait, "wait")
	lenient.Await = &domain.AwaitSpec{Signal: "go", Timeout: domain.Duration(time.Minute), Default: json.RawMessage(`0`)}
	child := node(domain.KindChild, "child")
	child.Saga, child.Version = "other", 1
	plan := do("plan", 1)
	plan.Kind, plan.MaxRounds = domain.KindPlan, 2
	asking := do("plan", 1, rule(domain.RuleAsk))
	asking.Kind, asking.MaxRounds = domain.KindPlan, 1
	handled := do("b", 1)
	handled.Action.OnFailure = &domain.ActionSpec{Name: "tell", Effect: domain.EffectNone, Retry: machinetest.Retries(1)}
	return []smallPlan{
		{name: "one step of two attempts", root: seq(do("a", 2)), people: 1, lost: 1, late: 1, large: true},
		{name: "one probed step of two attempts", root: seq(do("a", 2, probed)), lost: 1, late: 1, large: true},
		{name: "a planner that asks, and a step", root: seq(asking, do("b", 1)), people: 2, large: true},
		{name: "two steps", root: seq(do("a", 1), do("b", 1)), people: 1, late: 1},
		{name: "two steps and a pause", root: seq(do("a", 1), do("b", 1)), pauses: 1},
		{name: "three steps", root: seq(do("a", 1), do("b", 1), do("c", 1)), people: 1},
		{name: "a step without effect, and one", root: seq(do("a", 1, effect(domain.EffectNone)), do("b", 1)), people: 1, late: 1},
		{name: "a step that can't be undone", root: seq(do("a", 1), do("b", 2, effect(domain.EffectIrreversible))), people: 1, lost: 1, late: 1},
		{name: "a pivot", root: seq(do("a", 1), node(domain.KindPivot, "pivot"), do("b", 1, rule(domain.RuleForward))), people: 1, pauses: 1},
		{name: "a step to be ignored", root: seq(do("a", 1), do("b", 1, rule(domain.RuleIgnore)), do("c", 1)), people: 1},
		{name: "a step that asks", root: seq(do("a", 1), do("b", 1, rule(domain.RuleAsk))), people: 2, lost: 1, large: true},
		{name: "two at once", root: seq(node(domain.KindParallel, "both", seq(do("a", 1)), seq(do("b", 1)))), people: 1},
		{name: "two items, one may fail", root: seq(each), people: 1, large: true},
		{name: "a branch", root: seq(pick, do("c", 1)), people: 1},
		{name: "a sleep", root: seq(do("a", 1), node(domain.KindSleep, "nap"), do("b", 1)), people: 1},
		{name: "a signal", root: seq(do("a", 1), await), people: 1, lost: 1},
		{name: "a signal or nothing", root: seq(lenient, do("a", 1)), people: 1, lost: 1},
		{name: "a value", root: seq(node(domain.KindCompute, "sum"), do("a", 1)), people: 1, lost: 1},
		{name: "a child", root: seq(do("a", 1), child), people: 1, lost: 1},
		{name: "steps planned as it runs", root: seq(plan), people: 1},
		{name: "failure handlers", root: seq(do("a", 1), handled), people: 1, with: func(p *domain.Plan) {
			p.OnFailure = &domain.ActionSpec{Name: "tell all", Effect: domain.EffectNone, Retry: machinetest.Retries(1)}
		}},
	}
}

// walk is the breadth-first search. A state is told from others by its snapshot, and by what may
// still happen in it.
type walk struct {
	t       *testing.T
	p       smallPlan
	plan    *domain.Plan
	run     domain.RunID
	states  map[[sha256.Size]byte]*state
	queue   []*state
	awaits  bool // a step of the plan awaits the signal
	steps   int
	ends    int
	deepest int
}

type state struct {
	facts []domain.Fact
	now   time.Time
	// people, lost, late and pauses count what has happened of that so far; told means that the
	// signal came, turned that the run was to turn back.
	people, lost, late, pauses int
	told, turned               bool
	before                     []*state
	ended                      bool
}

func newWalk(t *testing.T, p smallPlan) *walk {
	plan := &domain.Plan{Saga: "small", Version: 1, Root: p.root}
	if p.with != nil {
		p.with(plan)
	}
	require.NoError(t, plan.Index())
	w := &walk{t: t, p: p, plan: plan, run: uuid.NewSHA1(uuid.Nil, []byte("run")), states: make(map[[sha256.Size]byte]*state)}
	plan.Root.Walk(func(n *domain.Node) { w.awaits = w.awaits || n.Await != nil })
	return w
}

func (w *walk) walk() {
	w.reach(nil, &state{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		[]domain.Event{&domain.RunStarted{Saga: "small", Version: 1, Plan: w.plan.Hash(), Input: json.RawMessage(`1`)}})
	for len(w.queue) > 0 {
		from := w.queue[0]
		w.queue = w.queue[1:]
		s := w.fold(from.facts)
		for _, m := range w.moves(s, from) {
			events, err := machine.Decide(s, m.intent, m.now(from))
			if noEnd := (*domain.NoEndError)(nil); errors.As(err, &noEnd) {
				events, err = machine.Decide(s, machine.Block{Reason: noEnd.Reason}, from.now)
			}
			if m.mayRefuse && err != nil {
				continue
			}
			if err != nil {
				w.t.Fatalf("%T %+v is refused: %v\n%s", m.intent, m.intent, err, story(from.facts))
			}
			if len(events) == 0 && !m.later {
				continue
			}
			to := *from
			to.before, to.now = nil, m.now(from)
			if m.counts != nil {
				m.counts(&to)
			}
			w.reach(from, &to, events)
		}
	}
}

func (w *walk) fold(facts []domain.Fact) *machine.State {
	s := machine.New(w.plan, w.run)
	for _, f := range facts {
		s = machine.Evolve(s, f)
	}
	return s
}

// reach adds the events to a state, has the judge look at them, and goes on from there unless it
// has been there.
func (w *walk) reach(from, to *state, events []domain.Event) {
	w.steps++
	facts := slices.Clip(to.facts)
	for _, e := range events {
		facts = append(facts, domain.Fact{Event: e, Meta: domain.Meta{At: to.now}, Revision: uint64(len(facts))})
	}
	to.facts = facts
	w.deepest = max(w.deepest, len(facts))
	s := w.fold(facts)
	s.Revision = 0
	snap, err := machine.Snapshot(s)
	if err != nil {
		w.t.Fatal(err)
	}
	key := sha256.Sum256(fmt.Appendln(snap, to.now.UnixNano(), to.people, to.lost, to.late, to.pauses, to.told, to.turned))
	known := w.states[key]
	if known == nil {
		w.judge(facts)
		to.ended = s.End != ""
		w.states[key] = to
		w.queue = append(w.queue, to)
		if to.ended {
			w.ends++
		}
		known = to
	}
	if from != nil {
		known.before = append(known.before, from)
	}
}

func (w *walk) judge(facts []domain.Fact) {
	r, s := judge.New(w.plan), machine.New(w.plan, w.run)
	for _, f := range facts {
		broken := r.Take(f)
		s = machine.Evolve(s, f)
		if len(broken) > 0 {
			w.t.Fatalf("revision %d breaks rules: %s\n%s", f.Revision, strings.Join(broken, "; "), story(facts))
		}
	}
	if d := machinetest.Disagreement(s, r); d != "" {
		w.t.Fatalf("the judge disagrees:\n%s\n%s", d, story(facts))
	}
}

// requireEnds requires that an end can be reached from each state.
func (w *walk) requireEnds() {
	var queue []*state
	good := make(map[*state]bool)
	for _, s := range w.states {
		if s.ended {
			queue, good[s] = append(queue, s), true
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, b := range s.before {
			if !good[b] {
				queue, good[b] = append(queue, b), true
			}
		}
	}
	for _, s := range w.states {
		if !good[s] {
			w.t.Fatalf("no end can be reached from here:\n%s", story(s.facts))
		}
	}
}

func story(facts []domain.Fact) string {
	var b strings.Builder
	for _, f := range facts {
		raw, err := json.Marshal(f.Event)
		fmt.Fprintf(&b, "%d %s %s %v\n", f.Revision, f.Event.WireName(), raw, err)
	}
	return b.String()
}

// move is something that may happen next.
type move struct {
	intent machine.Intent
	at     time.Time // of the move, if it is later
	later  bool      // it counts without events, because time passed
	// mayRefuse means that the machine may refuse it.
	mayRefuse bool
	counts    func(*state)
}

func (m move) now(from *state) time.Time {
	if m.at.After(from.now) {
		return m.at
	}
	return from.now
}
