package explain_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/machinetest"
)

// The words of the scenarios.
var (
	seq, do, ruled = machinetest.Seq, machinetest.Do, machinetest.Ruled
	newStage, play = machinetest.NewStage, machinetest.Play
)

func TestWhyTellsWhatARunWaitsFor(t *testing.T) {
	t.Parallel()
	probed := do("charge")
	probed.Action.Probe = true
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	post.Rule = domain.RuleForward
	await := func(spec domain.AwaitSpec) *domain.Node {
		return &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &spec}
	}
	child := &domain.Node{Kind: domain.KindChild, Name: "child", Saga: "other", Version: 1}
	both := &domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("a")), seq(do("b"))}}
	for name, c := range map[string]struct {
		root *domain.Node
		ops  string
		want string
	}{
		"an attempt":                    {seq(do("ship")), "", "ship: attempt 1 runs for 2s, at most until 03:04:15 UTC (in 8s)"},
		"a retry":                       {seq(do("ship")), "fail ship", "ship: attempt 2 at 03:04:06 UTC (due) after not now"},
		"a retry after a timeout":       {seq(do("ship")), "timeout ship", "ship: attempt 2 at 03:04:17 UTC (due) after no outcome by 03:04:15 UTC"},
		"a probe":                       {seq(probed), "timeout charge", "charge: probe 1 runs for 2s, at most until 03:04:26 UTC (in 8s)"},
		"the most telling of two":       {seq(both), "fail b", "b: attempt 2 at 03:04:06 UTC (due) after not now (and 1 more)"},
		"a signal":                      {seq(await(domain.AwaitSpec{Signal: "paid"})), "", "go: waits for signal paid"},
		"a signal, not for ever":        {seq(await(domain.AwaitSpec{Signal: "paid", Timeout: domain.Duration(time.Hour)})), "", "go: waits for signal paid, at most until 04:04:05 UTC (in 59m58s)"},
		"an event":                      {seq(await(domain.AwaitSpec{Event: "order.paid"})), "", "go: waits for event order.paid"},
		"a sleep":                       {seq(&domain.Node{Kind: domain.KindSleep, Name: "rest"}), "sleep rest", "rest: sleeps until 04:04:05 UTC (in 59m58s)"},
		"a child":                       {seq(child), "", "child: waits for child run "},
		"a child's undo":                {seq(child, do("b")), "child child completed; permanent b", "undo of child: waits for child run "},
		"a pause":                       {seq(do("ship")), "pause", "paused: wait; resume it to go on"},
		"an undo":                       {seq(do("a"), do("b")), "ok a; permanent b", "undo of a: attempt 1 runs for 2s, at most until 03:04:15 UTC (in 8s)"},
		"an undo's retry":               {seq(do("a"), do("b")), "ok a; permanent b; undofail a", "undo of a: attempt 2 at 03:04:06 UTC (due) after no"},
		"a person, for an undo":         {seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a", "stuck: undo of a failed 3 times, last at 03:04:08 UTC: no; retry, skip the undo, or abandon the run"},
		"a person, going forward":       {seq(ruled("a", domain.RuleAsk)), "permanent a", "stuck: a failed at 03:04:05 UTC: never; retry, skip, substitute its output, cancel or abandon the run"},
		"a person, past the pivot":      {seq(&domain.Node{Kind: domain.KindPivot, Name: "pivot"}, do("b")), "permanent b", "stuck: b failed at 03:04:05 UTC: never; retry, skip, substitute its output, or abandon the run"},
		"a person before what is under": {seq(&domain.Node{Kind: domain.KindParallel, Name: "both", Children: []*domain.Node{seq(do("a")), seq(ruled("b", domain.RuleAsk))}}), "permanent b", "stuck: b failed at 03:04:05 UTC: never; retry, skip, substitute its output, cancel or abandon the run (and 1 more)"},
		"a cancel that waits":           {seq(do("a"), post), "ok a; cancel", "post: attempt 1 runs for 2s, at most until 03:04:15 UTC (in 8s); a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a cancel held up by a doubt":   {seq(do("a"), post), "ok a; fail post; cancel", "post: attempt 2 at 03:04:06 UTC (due) after not now; a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a doubt that is stuck":         {seq(do("a"), post), "ok a; fail post; tick; fail post; tick; fail post", "stuck: post failed 3 times, last at 03:04:08 UTC: not now; it may have happened: find out, and substitute its output if it did, skip or retry it if not, or abandon the run"},
		"a cancel, and a stuck doubt":   {seq(do("a"), post), "ok a; fail post; tick; fail post; tick; fail post; cancel", "stuck: post failed 3 times, last at 03:04:08 UTC: not now; it may have happened: find out, and substitute its output if it did, skip or retry it if not, or abandon the run; a cancel waits until it is known whether post took effect, because it can't be undone"},
		"a doubt that can be undone":    {seq(ruled("a", domain.RuleAsk)), "fail a; tick; fail a; tick; fail a", "stuck: a failed 3 times, last at 03:04:08 UTC: not now; it may have happened: retry, skip, substitute its output, cancel or abandon the run"},
		"a probe's retry":               {seq(probed), "timeout charge; probefail charge", "charge: probe 2 at 03:04:17 UTC (due) after nobody answers"},
		"an undo of what came late":     {seq(do("a")), "timeout a; cancel; undone a; late a 1", "cancelled at 03:04:16 UTC, because changed my mind; an effect came after that: undo of a: attempt 2 runs for 2s, at most until 03:04:26 UTC (in 8s)"},
		"what came late, and is stuck":  {seq(do("a")), "timeout a; cancel; undone a; late a 1; undofail a; tick; undofail a; tick; undofail a", "stuck: undo of a failed 3 times since it got new attempts, 4 times in all, last at 03:04:19 UTC: no; the run had ended cancelled before this effect came late; retry, skip the undo, or abandon the run"},
		"what turned back":              {seq(do("a")), "cancel", "a: attempt 1 runs for 2s, at most until 03:04:15 UTC (in 8s); the run turned back, so its outcome is undone"},
		"nothing: it completed":         {seq(do("a")), "ok a", "completed at 03:04:05 UTC"},
		"nothing: it was undone":        {seq(do("a"), do("b")), "ok a; permanent b; undone a", "compensated at 03:04:05 UTC, because b: never"},
		"nothing: it was abandoned":     {seq(do("a"), do("b")), "ok a; abandon", "abandoned at 03:04:05 UTC with effects left: a, b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, c.root)
			for op := range strings.SplitSeq(c.ops, "; ") {
				if op != "" {
					g.Happens(op)
				}
			}
			before, err := machine.Snapshot(g.S)
			require.NoError(t, err)
			r := explain.Why(g.S, g.Now.Add(2*time.Second))
			after, err := machine.Snapshot(g.S)
			require.NoError(t, err)
			require.JSONEq(t, string(before), string(after), "asking changes nothing")
			if strings.HasSuffix(c.want, " ") {
				require.True(t, strings.HasPrefix(r.Text, c.want), r.Text)
			} else {
				require.Equal(t, c.want, r.Text)
			}
			require.Equal(t, g.S.Status(), r.State)
		})
	}
}

// TestWhyTellsThePolicyInForce: the run's plan says three attempts of ten seconds.
func TestWhyTellsThePolicyInForce(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("ship")), "fail ship")
	changed := g.S.Step("ship").Node.Action.Policy()
	changed.Retry.MaxAttempts, changed.Timeout = 5, domain.Duration(20*time.Second)
	g.Now = g.S.Wake().Due
	g.Decide(machine.Under{Intent: machine.Begin{Step: "ship"}, Policy: func(*machine.Step) *domain.Policy { return &changed }})
	why := explain.Why(g.S, g.Now)
	require.Equal(t, "ship: attempt 2 runs for 0s, at most until 03:04:26 UTC (in 20s); in force, not as planned: 5 attempts of at most 20s", why.Text)
	require.Equal(t, &changed, why.Waits[0].InForce)
}

// TestAWaitIsAValue: what the sentence says can be read without taking it apart.
func TestAWaitIsAValue(t *testing.T) {
	t.Parallel()
	beats := do("ship")
	beats.Action.HeartbeatTimeout = domain.Duration(3 * time.Second)
	sleep := &domain.Node{Kind: domain.KindSleep, Name: "rest"}
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Event: "order.paid", Timeout: domain.Duration(time.Hour)}}
	at := func(d time.Duration) time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(d) }
	for name, c := range map[string]struct {
		root *domain.Node
		ops  string
		want explain.Wait // without its sentence
	}{
		"an attempt, its two deadlines and its details": {seq(beats), "", explain.Wait{Step: "ship", Action: "ship", Direction: domain.Do, Phase: machine.Running,
			WaitsFor: explain.ForOutcome, Headline: "ship runs", Attempt: 1, SinceRetry: 1, Since: at(0), Until: at(3 * time.Second),
			AttemptDue: at(10 * time.Second), HeartbeatDue: at(3 * time.Second)}},
		"a retry": {seq(do("ship")), "fail ship", explain.Wait{Step: "ship", Action: "ship", Direction: domain.Do, Phase: machine.Backoff,
			WaitsFor: explain.ForRetry, Headline: "ship is tried again", Attempt: 1, SinceRetry: 1, Until: at(time.Second),
			Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: "not now", InDoubt: true}, Failed: at(0)}},
		"a person, after a failed retry": {seq(do("a"), do("b")), "ok a; permanent b; undofail a; tick; undofail a; tick; undofail a; retry a; undofail a; tick; undofail a; tick; undofail a",
			explain.Wait{Step: "a", Action: "a", Direction: domain.Undo, Phase: machine.UndoStuck, WaitsFor: explain.ForPerson, Headline: "undo of a failed 3 times",
				Attempt: 6, SinceRetry: 3, Incident: domain.IncidentID(newStage(t, seq()).S.Run, 1).String(), Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: "no"}, Failed: at(6 * time.Second),
				Ways: "retry, skip the undo, or abandon the run"}},
		"a sleep": {seq(sleep), "sleep rest", explain.Wait{Step: "rest", Direction: domain.Do, Phase: machine.Waiting, WaitsFor: explain.ForTime,
			Headline: "rest sleeps", Until: at(time.Hour)}},
		"an event": {seq(await), "", explain.Wait{Step: "go", Direction: domain.Do, Phase: machine.Waiting, WaitsFor: explain.ForEvent,
			Headline: "go waits for event order.paid", Name: "order.paid", Until: at(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := play(t, c.root, c.ops)
			why := explain.Why(g.S, g.Now)
			require.Equal(t, c.want.WaitsFor, why.WaitsFor)
			got := why.Waits[0]
			require.Equal(t, got.Text, got.Tell(g.Now, explain.ClockIn(g.Now, time.UTC)), "the sentence is made of the value alone")
			got.Text = ""
			for _, tm := range []*time.Time{&got.Since, &got.Until, &got.AttemptDue, &got.HeartbeatDue, &got.Failed} {
				*tm = tm.UTC()
			}
			require.Equal(t, c.want, got)
		})
	}
	g := play(t, seq(do("a")), "pause")
	require.Equal(t, explain.ForResume, explain.Why(g.S, g.Now).WaitsFor)
	require.Empty(t, explain.Why(play(t, seq(do("a")), "ok a").S, g.Now).WaitsFor)
}

// TestAFailedRetryReadsOtherwise: a person who retried sees that the failure is a new one.
func TestAFailedRetryReadsOtherwise(t *testing.T) {
	t.Parallel()
	const stuck = "permanent a"
	first := play(t, seq(ruled("a", domain.RuleAsk)), stuck)
	again := play(t, seq(ruled("a", domain.RuleAsk)), stuck+"; retry a; "+stuck)
	require.Equal(t, "stuck: a failed at 03:04:05 UTC: never; retry, skip, substitute its output, cancel or abandon the run", explain.Why(first.S, first.Now).Text)
	why := explain.Why(again.S, again.Now)
	require.Equal(t, "stuck: a failed since it got new attempts, 2 times in all, last at 03:04:05 UTC: never; retry, skip, substitute its output, cancel or abandon the run", why.Text)
	require.Equal(t, 2, why.Waits[0].Attempt)
	require.Equal(t, 1, why.Waits[0].SinceRetry)
}

// TestTheTwoDeadlinesOfAnAttemptAreToldApart: one is over unless the attempt beats, the other
// whether it beats or not.
func TestTheTwoDeadlinesOfAnAttemptAreToldApart(t *testing.T) {
	t.Parallel()
	beats := do("ship")
	beats.Action.HeartbeatTimeout = domain.Duration(3 * time.Second)
	g := play(t, seq(beats), "")
	require.Equal(t, "ship: attempt 1 runs for 0s, at most until 03:04:08 UTC (in 3s) without a heartbeat, and until 03:04:15 UTC with them", explain.Why(g.S, g.Now).Text)
	g.Now = g.Now.Add(2 * time.Second)
	g.Decide(machine.Beat{Step: "ship", Direction: domain.Do, Attempt: 1, Details: json.RawMessage(`{"boxes":7}`)})
	why := explain.Why(g.S, g.Now)
	require.JSONEq(t, `{"boxes":7}`, string(why.Waits[0].Details))
	require.Contains(t, why.Text, "03:04:10 UTC (in 3s) without a heartbeat")
}

// TestTimesAreWrittenInTheReadersZone: the value has instants, so a reader elsewhere gets the same
// sentence by the own clock.
func TestTimesAreWrittenInTheReadersZone(t *testing.T) {
	t.Parallel()
	g := play(t, seq(do("ship")), "fail ship")
	why := explain.Why(g.S, g.Now)
	require.Equal(t, "ship: attempt 2 at 03:04:06 UTC (in 1s) after not now", why.Text)
	tokyo := time.FixedZone("JST", 9*60*60)
	require.Equal(t, "ship: attempt 2 at 12:04:06 JST (in 1s) after not now", why.Tell(g.Now, explain.ClockIn(g.Now, tokyo)))
	require.Equal(t, "ship: attempt 2 at 2026-01-02 12:04:06 JST (due) after not now", why.Tell(g.Now.AddDate(0, 0, 2), explain.ClockIn(g.Now.AddDate(0, 0, 2), tokyo)))
}

// TestHowARunStands: each in a word, with a headline and the next moment.
func TestHowARunStands(t *testing.T) {
	t.Parallel()
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "paid"}}
	sleep := &domain.Node{Kind: domain.KindSleep, Name: "rest"}
	for name, c := range map[string]struct {
		root     *domain.Node
		ops      string
		standing explain.Standing
		headline string
		next     time.Duration // from the start; 0 for none
	}{
		"works":    {seq(do("a")), "", explain.Working, "a runs", 10 * time.Second},
		"waits":    {seq(await), "", explain.Waiting, "go waits for signal paid", 0},
		"sleeps":   {seq(sleep), "sleep rest", explain.Waiting, "rest sleeps", time.Hour},
		"retries":  {seq(do("a")), "fail a", explain.Retrying, "a is tried again", time.Second},
		"paused":   {seq(do("a")), "fail a; pause", explain.Paused, "paused", 0},
		"stuck":    {seq(ruled("a", domain.RuleAsk)), "permanent a", explain.Stuck, "a failed", 0},
		"has done": {seq(do("a")), "ok a", explain.Ended, "completed", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newStage(t, c.root)
			start := g.Now
			for op := range strings.SplitSeq(c.ops, "; ") {
				if op != "" {
					g.Happens(op)
				}
			}
			why := explain.Why(g.S, g.Now)
			require.Equal(t, c.standing, why.Standing)
			require.Equal(t, c.headline, why.Headline)
			if c.next == 0 {
				require.Zero(t, why.Next)
			} else {
				require.Equal(t, start.Add(c.next), why.Next.UTC())
			}
			require.Equal(t, g.S.Revision, why.Revision)
			require.Equal(t, g.S.Run, why.Run)
		})
	}
}

// TestKeptSignalsAreTold: a signal that nothing awaits is not lost, and not hidden.
func TestKeptSignalsAreTold(t *testing.T) {
	t.Parallel()
	await := &domain.Node{Kind: domain.KindAwait, Name: "go", Await: &domain.AwaitSpec{Signal: "paid"}}
	g := play(t, seq(do("a"), await), "")
	g.Decide(machine.Signal{Name: "payd", ID: "1", Value: json.RawMessage(`7`)})
	kept := explain.Why(g.S, g.Now).Signals
	require.Equal(t, []explain.KeptSignal{{Name: "payd", ID: "1", Payload: json.RawMessage(`7`), At: g.Now}}, kept)
	g.Decide(machine.Signal{Name: "paid", ID: "2"})
	g.Happens("ok a")
	require.Len(t, explain.Why(g.S, g.Now).Signals, 1, "the one that the await took is gone")
}

// TestWhyTellsOfADeadlineThatADoubtHoldsUp: the run would turn back if it were known that nothing
// happened.
func TestWhyTellsOfADeadlineThatADoubtHoldsUp(t *testing.T) {
	t.Parallel()
	post := do("post")
	post.Action.Effect, post.Action.UndoRetry = domain.EffectIrreversible, domain.RetryPolicy{}
	g := newStage(t, seq(do("a"), post))
	g.S.Start.Deadline = g.Now.Add(2 * time.Second)
	for _, op := range []string{"ok a", "fail post", "tick", "fail post", "tick", "tick", "fail post"} {
		g.Happens(op)
	}
	g.Tell(machine.Tick{})
	require.Equal(t, domain.RunIsStuck, g.S.Status())
	require.Contains(t, explain.Why(g.S, g.Now).Text, "the run's deadline, which passed at 03:04:07 UTC, waits until it is known whether post took effect")
	g.Happens("skip post")
	g.Tell(machine.Tick{})
	require.Equal(t, domain.RunCompensating, g.S.Status())
	require.Equal(t, domain.FailureDeadline, g.S.Cause.Kind)
}

func TestWhySaysThatNobodyHasTheAction(t *testing.T) {
	t.Parallel()
	g := newStage(t, seq(do("a"), do("b")))
	g.Record(&domain.AttemptSucceeded{Step: "a", Direction: domain.Do, Attempt: 1, Output: json.RawMessage(`1`)})
	g.Record(&domain.RunBlocked{Reason: `no worker here has the action "b": deploy a program that does`})
	require.Equal(t, `blocked since 03:04:05 UTC: no worker here has the action "b": deploy a program that does`, explain.Why(g.S, g.Now).Text)
}
