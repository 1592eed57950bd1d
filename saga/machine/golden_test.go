package machine

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

var rewrite = flag.Bool("rewrite", false, "write the golden transcripts instead of comparing with them")

// TestGoldenTranscripts plays typical runs and compares what is decided, event by event, with the
// files in testdata/golden; -rewrite writes them. A scenario is a plan and a list of things that
// happen, in the words of [stage.happens].
func TestGoldenTranscripts(t *testing.T) {
	t.Parallel()
	a, b, c := do("a"), do("b"), do("c")
	probed := do("a")
	probed.Action.Probe = true
	handled := do("b")
	handled.Action.OnFailure = &domain.ActionSpec{Name: "tell", Effect: domain.EffectNone, Retry: golden(2)}
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	postBack, probedPost := do("post"), do("post")
	for _, n := range []*domain.Node{postBack, probedPost} {
		n.Action.Effect, n.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	}
	probedPost.Action.Probe, probedPost.Action.Retry = true, golden(2)
	item := seq(do("label"))
	item.Result = "label"
	each := &domain.Node{Kind: domain.KindEach, Name: "ship", Children: []*domain.Node{item}, Concurrency: 2, Tolerate: 1}
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "go", Timeout: domain.Duration(time.Hour), Default: json.RawMessage(`"nobody"`)}}
	for name, s := range map[string]struct {
		root *domain.Node
		ops  string
	}{
		"happy signup":                          {seq(do("create-user"), do("send-welcome"), do("update-crm")), "ok create-user; ok send-welcome; ok update-crm"},
		"retry":                                 {seq(a, b), "fail a; tick; fail a; tick; ok a; ok b"},
		"permanent failure with undo":           {seq(a, handled), "ok a; permanent b; ok on-failure of b; undone a"},
		"parallel failure":                      {seq(a, &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(b), seq(c)}}), "ok a; permanent b; doubt c; undone c; undone a"},
		"each with tolerate":                    {seq(each), "items ship 3; permanent ship/0/label; ok ship/1/label; ok ship/2/label"},
		"each over the tolerated":               {seq(each), "items ship 3; permanent ship/0/label; permanent ship/1/label; ok ship/2/label; undone ship/2/label"},
		"in doubt and probed":                   {seq(probed, b), "timeout a; probe a applied; ok b"},
		"in doubt and not applied":              {seq(probed, b), "timeout a; probe a not_applied; tick; ok a; ok b"},
		"late success before the next attempt":  {seq(a), "timeout a; late a 1"},
		"late success after the undo":           {seq(a), "timeout a; cancel; undone a; late a 1; undone a"},
		"late success while the undo runs":      {seq(a), "timeout a; cancel; late a 1; undone a; undone a"},
		"lost and undone in doubt":              {seq(a), "lost a; cancel; undone a"},
		"nothing done":                          {seq(a, b), "nothing a; tick; nothing a; tick; nothing a"},
		"unsaid and undone in doubt":            {seq(a, b), "ok a; fail b; tick; fail b; tick; fail b; undone b; undone a"},
		"unsaid and probed at the last":         {seq(probed, b), "fail a; tick; fail a; tick; fail a; probe a applied; ok b"},
		"refused after a doubt and probed":      {seq(probed, b), "doubt a; probe a unknown; tick; permanent a; probe a not_applied"},
		"unsaid and probed as the run turns":    {seq(&domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(probed), seq(b)}}), "fail a; permanent b; probe a not_applied"},
		"done but not recordable":               {seq(c, probed, b), "ok c; done a; undone a; undone c"},
		"probe retried":                         {seq(probed, b), "timeout a; probefail a; tick; probefail a; tick; probefail a; tick; ok a; ok b"},
		"probe finds what is not recordable":    {seq(probed, b), "timeout a; probedone a; undone a"},
		"irreversible and in doubt":             {seq(a, postBack), "ok a; fail post; cancel; tick; fail post; tick; fail post; skip post; undone a"},
		"late undo stuck after the end":         {seq(a), "timeout a; cancel; undone a; late a 1; undofail a; tick; undofail a; tick; undofail a; cancel; retry a; undone a"},
		"late success of what stays":            {seq(seq(probedPost), b), "timeout post; probe post not_applied; cancel; late post 1; skip post"},
		"late failure after the undo":           {seq(a), "timeout a; cancel; undone a; latefail a 1; undone a"},
		"undo stuck and retried":                {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; retry a; undone a"},
		"undo stuck and skipped":                {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; skip a"},
		"undo stuck and abandoned":              {seq(a, b), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; abandon"},
		"past the pivot, stuck and retried":     {seq(a, &domain.Node{Kind: domain.KindPivot, Name: "pivot"}, b), "ok a; permanent b; cancel; retry b; ok b"},
		"irreversible holds a cancel back":      {seq(a, post), "ok a; cancel; permanent post; undone a"},
		"irreversible makes a cancel moot":      {seq(a, post), "ok a; cancel; ok post"},
		"cancel":                                {seq(a, b), "ok a; cancel; ok b; undone b; undone a"},
		"pause and resume":                      {seq(a, b), "pause; ok a; resume; ok b"},
		"child completed and undone":            {seq(&domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}, b), "child child completed; permanent b; child child compensated"},
		"child failed":                          {seq(a, &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}), "ok a; child child compensated; undone a"},
		"plan rounds":                           {seq(&domain.Node{Kind: domain.KindPlan, Name: "agent", Action: do("planner").Action, MaxRounds: 5}), "ok agent/1/plan; plan agent x y; ok agent/1/x; ok agent/1/y; ok agent/2/plan; plan agent"},
		"plan undone":                           {seq(&domain.Node{Kind: domain.KindPlan, Name: "agent", Action: do("planner").Action}), "ok agent/1/plan; plan agent x y; ok agent/1/x; permanent agent/1/y; undone agent/1/x; undone agent/1/plan"},
		"await met":                             {seq(await, a), "signal go 1; ok a"},
		"await met by a signal that came first": {seq(a, await), "signal go 1; ok a"},
		"await runs out to its default":         {seq(await, a), "tick; ok a"},
		"switch":                                {seq(&domain.Node{Kind: domain.KindSwitch, Name: "which", Children: []*domain.Node{seq(a), seq(b)}, Cases: []string{"one", "two"}}), "choose which 1; ok b"},
		"sleep":                                 {seq(&domain.Node{Kind: domain.KindSleep, Name: "rest"}, a), "sleep rest; tick; ok a"},
		"ignored failure":                       {seq(ruled("a", domain.RuleIgnore), b), "permanent a; ok b"},
		"ask":                                   {seq(ruled("a", domain.RuleAsk), b), "permanent a; substitute a; ok b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, s.root)
			for op := range strings.SplitSeq(s.ops, "; ") {
				g.happens(op)
			}
			path := filepath.Join("testdata", "golden", strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "_")+".txt")
			got := g.out.String() + "= " + string(g.s.Status()) + "\n"
			if *rewrite {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "make it with: go test ./saga/machine -run Golden -rewrite")
			require.Equal(t, string(want), got)
		})
	}
}

func seq(children ...*domain.Node) *domain.Node {
	return &domain.Node{Kind: domain.KindSequence, Children: children}
}

func golden(attempts int) domain.RetryPolicy {
	return domain.RetryPolicy{MaxAttempts: attempts, Initial: domain.Duration(time.Second), Multiplier: 2, Max: domain.Duration(time.Minute), Jitter: domain.JitterNone}
}

func do(name string) *domain.Node {
	return &domain.Node{Kind: domain.KindDo, Name: name, Action: &domain.ActionSpec{Name: name, Effect: domain.EffectUndo, Retry: golden(3), UndoRetry: golden(3),
		Timeout: domain.Duration(10 * time.Second), UndoTimeout: domain.Duration(10 * time.Second)}}
}

func ruled(name string, r domain.Rule) *domain.Node {
	n := do(name)
	n.Rule = r
	return n
}

// stage plays a scenario and writes its transcript.
type stage struct {
	t   *testing.T
	s   *State
	h   *history
	now time.Time
	out strings.Builder
}

func newStage(t *testing.T, root *domain.Node) *stage {
	// Each scenario has nodes of its own: indexing a plan writes to them.
	raw, err := json.Marshal(&domain.Plan{Saga: "golden", Version: 1, Root: root})
	require.NoError(t, err)
	plan, err := domain.ParsePlan(raw)
	require.NoError(t, err)
	run := uuid.NewSHA1(uuid.Nil, []byte("golden"))
	g := &stage{t: t, s: New(plan, run), h: newHistory(run), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	g.out.WriteString("> start\n")
	g.record(&domain.RunStarted{Saga: "golden", Version: 1, Plan: "p", Input: json.RawMessage(`1`)})
	g.settle()
	return g
}

// record appends an event and writes its line: revision, seconds since the start, name, data.
func (g *stage) record(e domain.Event) {
	f, err := g.h.add(e, domain.Meta{At: g.now})
	require.NoError(g.t, err)
	g.s = Evolve(g.s, f)
	data := asJSON(e)
	for _, long := range []string{`"direction":"do",`, `"stack":"",`} {
		data = strings.ReplaceAll(data, long, "")
	}
	fmt.Fprintf(&g.out, "%4d %5ds %s %s\n", f.Revision, int(g.now.Sub(g.s.StartedAt).Seconds()), strings.TrimSuffix(e.WireName(), ".v1"), data)
}

func (g *stage) decide(in Intent) {
	events, err := Decide(g.s, in, g.now)
	if err != nil {
		fmt.Fprintf(&g.out, "   ! %v\n", err)
		return
	}
	for _, e := range events {
		g.record(e)
	}
}

// settle does what is owed and needs no word of the scenario.
func (g *stage) settle() {
	for range 100 {
		var in Intent
		g.s.Todo(g.now, func(d Duty, st *Step) bool {
			in = g.owed(d, st)
			return in == nil
		})
		if in == nil {
			return
		}
		g.decide(in)
	}
	g.t.Fatal("what is owed never ends")
}

func (g *stage) owed(d Duty, st *Step) Intent {
	switch d {
	case Conclude:
		return Consequence{Step: st.Path}
	case TurnNow:
		return Proceed{}
	case Pass:
		return Passed{Step: st.Path}
	case Start:
		return Begin{Step: st.Path}
	case End:
		return Finish{}
	case Evaluate:
		switch st.Node.Kind {
		case domain.KindDo, domain.KindChild, domain.KindCompute:
			return Evaluated{Step: st.Path, Value: json.RawMessage(`"in"`)}
		case domain.KindAwait:
			return Opened{Step: st.Path}
		}
	}
	return nil
}

// happens plays one thing of a scenario:
//
//	ok <step>                          a do's success        undone|undofail <step>  an undo's outcome
//	fail|nothing|permanent <step>      an error that says nothing, that nothing was done, that it is refused
//	doubt|done <step>                  one that says it is in doubt; a success that can't be recorded
//	timeout|lost <step>                no outcome comes      late|latefail <step> <attempt>  one comes late
//	probe <step> <verdict>             a probe's answer      probefail|probedone <step>      its failure
//	tick                               time passes to the next wake
//	items|choose <step> <n>            the code's answers    sleep <step>            until in an hour
//	plan <step> <steps…>               a planner's answer, done without steps
//	signal <name> <id>; child <step> <state>; cancel; pause; resume; retry|skip|substitute <step>; abandon
func (g *stage) happens(op string) {
	fmt.Fprintf(&g.out, "> %s\n", op)
	w := strings.Fields(op)
	arg := func(i int) string {
		if i < len(w) {
			return w[i]
		}
		return ""
	}
	if in := g.intent(w[0], arg, w); in != nil {
		g.decide(in)
	}
	g.settle()
}

func (g *stage) intent(verb string, arg func(int) string, w []string) Intent {
	step := arg(1)
	n := 0
	_, _ = fmt.Sscan(arg(2), &n)
	switch verb {
	case "ok", "fail", "nothing", "permanent", "doubt", "done":
		return g.outcome(verb, step, arg(3))
	case "undone":
		return Outcome{Step: step, Direction: domain.Undo, Attempt: g.s.Step(step).Undo.N}
	case "undofail":
		return Outcome{Step: step, Direction: domain.Undo, Attempt: g.s.Step(step).Undo.N, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}}
	case "late":
		return Outcome{Step: step, Direction: domain.Do, Attempt: n, Output: json.RawMessage(`"late"`)}
	case "latefail":
		return Outcome{Step: step, Direction: domain.Do, Attempt: n, Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "too late"}}
	case "timeout", "tick":
		g.now = g.s.Wake().Due
		return Tick{}
	case "lost":
		return Lost{Step: step, Direction: domain.Do, Attempt: g.s.Step(step).Do.N, Reason: "its worker was gone"}
	case "probe":
		return Outcome{Step: step, Direction: domain.Probe, Attempt: g.s.Step(step).Probe.N, Verdict: domain.Verdict(arg(2)), Output: json.RawMessage(`"found"`)}
	case "probefail":
		return Outcome{Step: step, Direction: domain.Probe, Attempt: g.s.Step(step).Probe.N, Verdict: domain.Unknown,
			Failure: &domain.Failure{Kind: domain.FailureRetryable, Message: "nobody answers"}}
	case "probedone":
		return Outcome{Step: step, Direction: domain.Probe, Attempt: g.s.Step(step).Probe.N, Verdict: domain.Applied, Effect: domain.EffectDone,
			Failure: &domain.Failure{Kind: domain.FailurePermanent, Message: "it happened, but its output is too large"}}
	case "items":
		in := Listed{Step: step}
		for i := range n {
			in.Items = append(in.Items, json.RawMessage(fmt.Sprint(i)))
		}
		return in
	case "choose":
		return Chosen{Step: step, Branch: n, Case: g.s.Step(step).Node.Cases[n]}
	case "sleep":
		return Timed{Step: step, Due: g.now.Add(time.Hour)}
	case "plan":
		in := Planned{Step: step, Round: len(g.s.Step(step).kids)/2 + 1, Done: len(w) == 2}
		for i, name := range w[2:] {
			if i == 0 {
				in.Steps = seq()
			}
			in.Steps.Children, in.Inputs = append(in.Steps.Children, do(name)), append(in.Inputs, json.RawMessage(`1`))
		}
		return in
	case "signal":
		return Signal{Name: step, ID: arg(2), Value: json.RawMessage(`"yes"`)}
	case "child":
		return ChildSeen{Step: step, Run: g.s.Step(step).Child, State: domain.RunState(arg(2))}
	}
	return g.people(verb, step)
}

func (g *stage) outcome(verb, step, of string) Intent {
	dir, path := domain.Do, step
	if of != "" { // "ok on-failure of b"
		dir, path = domain.Handler, of+"/"+step
	}
	o := Outcome{Step: path, Direction: dir, Attempt: g.s.Step(path).Do.N}
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

func (g *stage) people(verb, step string) Intent {
	switch verb {
	case "cancel":
		return Cancel{Reason: "changed my mind"}
	case "pause":
		return Pause{Reason: "wait"}
	case "resume":
		return Resume{Reason: "go on"}
	case "retry":
		return Retry{Step: step, Reason: "mended"}
	case "skip":
		return Resolve{Step: step, How: domain.ResolveSkip, Reason: "by hand"}
	case "substitute":
		return Resolve{Step: step, How: domain.ResolveSubstitute, Output: json.RawMessage(`"by hand"`), Reason: "by hand"}
	case "abandon":
		return Abandon{Reason: "hopeless"}
	}
	g.t.Fatalf("a scenario says %q, which is no word of it", verb)
	return nil
}
