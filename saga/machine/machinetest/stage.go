package machinetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Stage plays a scenario and writes its transcript. It is not safe for concurrent use.
type Stage struct {
	// S is the run's state and Now its time.
	S   *machine.State
	Now time.Time
	// Facts are the run's events so far, as a log gives them back.
	Facts []domain.Fact

	t    testing.TB
	hash domain.ChainHash
	out  strings.Builder
}

// NewStage starts a run of the plan with that root and does what is owed at once.
func NewStage(t testing.TB, root *domain.Node) *Stage {
	t.Helper()
	// Each scenario has nodes of its own: indexing a plan writes to them.
	raw, err := json.Marshal(&domain.Plan{Saga: "golden", Version: 1, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := domain.ParsePlan(raw)
	if err != nil {
		t.Fatal(err)
	}
	run := uuid.NewSHA1(uuid.Nil, []byte("golden"))
	g := &Stage{t: t, S: machine.New(plan, run), Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	g.out.WriteString("> start\n")
	g.Record(&domain.RunStarted{Saga: "golden", Version: 1, Plan: "p", Input: json.RawMessage(`1`)})
	g.Settle()
	return g
}

// Play starts a run of the plan with that root and plays what happens, separated by "; ": see
// [Stage.Happens].
func Play(t testing.TB, root *domain.Node, ops string) *Stage {
	t.Helper()
	g := NewStage(t, root)
	for op := range strings.SplitSeq(ops, "; ") {
		if op != "" {
			g.Happens(op)
		}
	}
	return g
}

// Transcript returns what happened and what was decided, a line for each event.
func (g *Stage) Transcript() string { return g.out.String() }

// Fold returns the state made anew from the run's events.
func (g *Stage) Fold() *machine.State {
	s := machine.New(g.S.Plan, g.S.Run)
	for _, f := range g.Facts {
		s = machine.Evolve(s, f)
	}
	return s
}

// Record appends an event, folds it as a log gives it back, and writes its line: revision, seconds
// since the start, name, data.
func (g *Stage) Record(e domain.Event) { g.RecordBy(e, domain.Clock{}) }

// RecordBy is [Stage.Record] for an event that carries a clock.
func (g *Stage) RecordBy(e domain.Event, c domain.Clock) {
	g.t.Helper()
	stream, revision := domain.RunStream(g.S.Run), uint64(len(g.Facts))
	sealed, hash := domain.Seal(stream, revision, g.hash, e, domain.Meta{At: g.Now, Clock: c})
	f, err := domain.DecodeFact(&domain.Recorded{NewEvent: sealed, Stream: stream, Revision: revision})
	if err != nil {
		g.t.Fatal(err)
	}
	g.hash, g.Facts = hash, append(g.Facts, f)
	g.S = machine.Evolve(g.S, f)
	data, err := json.Marshal(e)
	if err != nil {
		g.t.Fatal(err)
	}
	line := string(data)
	for _, long := range []string{`"direction":"do",`, `"stack":"",`} {
		line = strings.ReplaceAll(line, long, "")
	}
	fmt.Fprintf(&g.out, "%4d %5ds %s %s\n", f.Revision, int(g.Now.Sub(g.S.StartedAt).Seconds()), strings.TrimSuffix(e.WireName(), ".v1"), line)
}

// Tell delivers an intent for which scenarios have no word, and does what is owed.
func (g *Stage) Tell(in machine.Intent) {
	g.t.Helper()
	g.Decide(in)
	g.Settle()
}

// Decide has an intent decided and records the events. A refusal is a line of the transcript.
func (g *Stage) Decide(in machine.Intent) {
	events, err := machine.Decide(g.S, in, g.Now)
	if err != nil {
		fmt.Fprintf(&g.out, "   ! %v\n", err)
		return
	}
	for _, e := range events {
		g.Record(e)
	}
}

// Settle does everything owed that needs no word of the scenario.
func (g *Stage) Settle() {
	g.t.Helper()
	for range 100 {
		var in machine.Intent
		g.S.Todo(g.Now, func(d machine.Duty, st *machine.Step) bool {
			in = g.owed(d, st)
			return in == nil
		})
		if in == nil {
			return
		}
		g.Decide(in)
	}
	g.t.Fatal("what is owed never ends")
}

func (g *Stage) owed(d machine.Duty, st *machine.Step) machine.Intent {
	switch d {
	case machine.Conclude:
		return machine.Consequence{Step: st.Path}
	case machine.TurnNow:
		return machine.Proceed{}
	case machine.Pass:
		return machine.Passed{Step: st.Path}
	case machine.Start:
		return machine.Begin{Step: st.Path}
	case machine.End:
		return machine.Finish{}
	case machine.Evaluate:
		switch st.Node.Kind {
		case domain.KindDo, domain.KindChild, domain.KindCompute:
			return machine.Evaluated{Step: st.Path, Value: json.RawMessage(`"in"`)}
		case domain.KindAwait:
			return machine.Opened{Step: st.Path}
		}
	}
	return nil
}

// Happens plays one thing of a scenario:
//
//	ok <step>                        a do's success
//	fail|nothing|permanent <step>    an error: of no word, nothing was done, refused for good
//	doubt|done <step>                one that says it is in doubt; a success not recordable
//	undone|undofail <step>           an undo's outcome
//	timeout|lost <step>              no outcome comes
//	late|latefail <step> <attempt>   one comes late
//	probe <step> <verdict>           a probe's answer
//	probefail|probedone <step>       a probe's failure
//	tick                             time passes to the next wake
//	items|choose <step> <n>          the code's answers
//	sleep <step>                     until in an hour
//	plan <step> <steps…>             a planner's answer, done without steps
//	signal <name> <id>
//	child <step> <state>
//	cancel; pause; resume; abandon
//	retry|skip|substitute <step>
func (g *Stage) Happens(op string) {
	fmt.Fprintf(&g.out, "> %s\n", op)
	w := strings.Fields(op)
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	if in := g.intent(w[0], arg, w); in != nil {
		g.Decide(in)
	}
	g.Settle()
}

func (g *Stage) intent(verb string, arg func(int) string, w []string) machine.Intent {
	step := arg(1)
	n := 0
	_, _ = fmt.Sscan(arg(2), &n)
	switch verb {
	case "ok", "fail", "nothing", "permanent", "doubt", "done":
		return g.outcome(verb, step, arg(3))
	case "undone":
		return machine.Outcome{Step: step, Direction: domain.Undo, Attempt: g.S.Step(step).Undo.N}
	case "undofail":
		return machine.Outcome{Step: step, Direction: domain.Undo, Attempt: g.S.Step(step).Undo.N, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}}
	case "late":
		return machine.Outcome{Step: step, Direction: domain.Do, Attempt: n, Output: json.RawMessage(`"late"`)}
	case "latefail":
		return machine.Outcome{Step: step, Direction: domain.Do, Attempt: n, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "too late"}}
	case "timeout", "tick":
		g.Now = g.S.Wake().Due
		return machine.Tick{}
	case "lost":
		return machine.Lost{Step: step, Direction: domain.Do, Attempt: g.S.Step(step).Do.N, Reason: "its worker was gone"}
	case "probe":
		return machine.Outcome{Step: step, Direction: domain.Probe, Attempt: g.S.Step(step).Probe.N, Verdict: domain.Verdict(arg(2)), Output: json.RawMessage(`"found"`)}
	case "probefail":
		return machine.Outcome{Step: step, Direction: domain.Probe, Attempt: g.S.Step(step).Probe.N, Verdict: domain.Unknown,
			Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "nobody answers"}}
	case "probedone":
		return machine.Outcome{Step: step, Direction: domain.Probe, Attempt: g.S.Step(step).Probe.N, Verdict: domain.Applied, Effect: domain.EffectDone,
			Failure: &domain.Failure{Kind: domain.FailurePermanent, Message: "it happened, but its output is too large"}}
	case "items":
		in := machine.Listed{Step: step}
		for i := range n {
			in.Items = append(in.Items, json.RawMessage(fmt.Sprint(i)))
		}
		return in
	case "choose":
		return machine.Chosen{Step: step, Branch: n, Case: g.S.Step(step).Node.Cases[n]}
	case "sleep":
		return machine.Timed{Step: step, Due: g.Now.Add(time.Hour)}
	case "plan":
		in := machine.Planned{Step: step, Round: len(g.S.Step(step).Kids())/2 + 1, Done: len(w) == 2}
		for i, name := range w[2:] {
			if i == 0 {
				in.Steps = Seq()
			}
			in.Steps.Children, in.Inputs = append(in.Steps.Children, Do(name)), append(in.Inputs, json.RawMessage(`1`))
		}
		return in
	case "signal":
		return machine.Signal{Name: step, ID: arg(2), Value: json.RawMessage(`"yes"`)}
	case "child":
		return machine.ChildSeen{Step: step, Run: g.S.Step(step).Child, State: domain.RunState(arg(2))}
	}
	return g.people(verb, step)
}

func (g *Stage) outcome(verb, step, of string) machine.Intent {
	dir, path := domain.Do, step
	if of != "" { // "ok on-failure of b"
		dir, path = domain.Handler, of+"/"+step
	}
	o := machine.Outcome{Step: path, Direction: dir, Attempt: g.S.Step(path).Do.N}
	switch verb {
	case "ok":
		o.Output = json.RawMessage(`"` + path + `"`)
	case "fail":
		o.Failure = &domain.Failure{Kind: domain.FailureRetryable, Message: "not now"}
	case "nothing":
		o.Failure, o.Effect = &domain.Failure{Kind: domain.FailureRetryable, Message: "refused a connection"}, domain.EffectNotDone
	case "permanent":
		o.Failure, o.Effect = &domain.Failure{Kind: domain.FailurePermanent, Message: "never"}, domain.EffectNotDone
	case "doubt":
		o.Failure, o.Effect = &domain.Failure{Kind: domain.FailureRetryable, Message: "cut short"}, domain.EffectInDoubt
	case "done":
		o.Failure, o.Effect = &domain.Failure{Kind: domain.FailureRetryable, Message: "it happened, but its output is too large"}, domain.EffectDone
	}
	return o
}

func (g *Stage) people(verb, step string) machine.Intent {
	switch verb {
	case "cancel":
		return machine.Cancel{Reason: "changed my mind"}
	case "pause":
		return machine.Pause{Reason: "wait"}
	case "resume":
		return machine.Resume{Reason: "go on"}
	case "retry":
		return machine.Retry{Step: step, Reason: "mended"}
	case "skip":
		return machine.Resolve{Step: step, How: domain.ResolveSkip, Reason: "by hand"}
	case "substitute":
		return machine.Resolve{Step: step, How: domain.ResolveSubstitute, Output: json.RawMessage(`"by hand"`), Reason: "by hand"}
	case "abandon":
		return machine.Abandon{Reason: "hopeless"}
	}
	g.t.Fatalf("a scenario says %q, which is not one of its words", verb)
	return nil
}
