package projections_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/verify"
)

func madeUp(t require.TestingT, seed uint64, appends int) *memlog.Log {
	log := memlog.New()
	_, err := projectiontest.NewRuns(seed).Write(context.Background(), log, appends)
	require.NoError(t, err)
	return log
}

func TestSecretsAreRedactedAtAnyDepth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, secret string }{
		{`{"a":1,"card":"4111","l":[{"CARD":{"x":1}},2.50]}`, `{"a":1,"card":"•••","l":[{"CARD":"•••"},2.50]}`, "card"},
		{`{"a":{"b":"x","c":"y"},"b":1}`, `{"a":{"b":"•••","c":"y"},"b":1}`, "a.b"},
		{`{"n":12345678901234567890.10}`, `{"n":12345678901234567890.10}`, "x"},
		{`"plain"`, `"plain"`, "x"}, {`{"a":1}`, `"•••"`, "*"}, {`{broken`, `"•••"`, "x"}, {``, ``, "x"}, {`null`, `null`, "x"},
	} {
		require.Equal(t, c.want, string(projections.Redact(json.RawMessage(c.in), projections.Fields{c.secret})), c.in)
	}
	require.Equal(t, `{"a":1}`, string(projections.Redact(json.RawMessage(`{"a":1}`), nil)))
	texts := projections.Fields{"city", "who"}.Texts(json.RawMessage(`{"city":"Oslo","who":{"name":"Ann","pin":"1"},"n":[{"city":7}],"x":"y"}`), projections.Fields{"pin"})
	require.Equal(t, []string{"Oslo", "Ann", "7"}, texts)
}

func TestAStoryTellsDurationsRetriesAndRedacts(t *testing.T) {
	t.Parallel()
	run, at := domain.RunIDForKey("order", "k"), time.Date(2026, 5, 1, 14, 0, 0, 0, time.UTC)
	var facts []domain.Fact
	add := func(after time.Duration, actor string, wake domain.RunState, e domain.Event) {
		at = at.Add(after)
		facts = append(facts, domain.Fact{Event: e, Revision: uint64(len(facts)), Meta: domain.Meta{At: at, Actor: actor, Wake: domain.Wake{State: wake}}})
	}
	timeout := domain.Failure{Kind: domain.FailureTimedOut, Message: "no outcome\x1b[31m in time"}
	add(0, "ann", "", &domain.RunStarted{Saga: "order", Version: 2, Key: "k", Input: json.RawMessage(`{"card":"4111","n":1}`)})
	add(0, "", domain.RunRunning, &domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 1, Action: "charge-card", Input: json.RawMessage(`{"card":"4111"}`)})
	add(10*time.Second, "", domain.RunRunning, &domain.AttemptFailed{Step: "charge", Direction: domain.Do, Attempt: 1, Cause: timeout, RetryAt: at.Add(38 * time.Second)})
	add(28*time.Second, "", domain.RunRunning, &domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 2, Action: "charge-card"})
	add(time.Second, "", "", &domain.AttemptSucceeded{Step: "charge", Direction: domain.Do, Attempt: 2, Output: json.RawMessage(`{"id":"=x","card":"4111"}`)})
	add(0, "", "", &domain.DomainEvent{Type: "order.charged", Payload: json.RawMessage(`{"card":"4111"}`)})
	add(time.Minute, "bob", "", &domain.RunTurnedBack{Cause: domain.Failure{Kind: domain.FailureCancelled, Message: "changed my mind"}})
	add(0, "", domain.RunCompensating, &domain.AttemptStarted{Step: "charge", Direction: domain.Undo, Attempt: 1, Action: "charge-card"})
	add(2*time.Second, "", "", &domain.AttemptSucceeded{Step: "charge", Direction: domain.Undo, Attempt: 1})
	add(0, "", domain.RunIsCancelled, &domain.RunCancelled{})

	s := projections.StoryOf(run, facts, projections.Fields{"card"})
	require.Equal(t, domain.RunIsCancelled, s.State)
	require.Equal(t, 10*time.Second, s.Rows[2].Took)
	require.Equal(t, 28*time.Second, s.Rows[3].Waited)
	require.Equal(t, time.Second, s.Rows[4].Took)
	require.Equal(t, projections.Emitted, s.Rows[5].What)

	write := func(f projections.Format) string {
		var b strings.Builder
		require.NoError(t, s.Write(&b, f, nil))
		require.NotContains(t, b.String(), "4111", f)
		return b.String()
	}
	text := write(projections.FormatText)
	require.Equal(t, `order v2  run `+run.String()+`  cancelled after 1m41s
2026-05-01 14:00:00.000  +0s                  run.started                      order v2, key k; by ann; in {"card":"•••","n":1}
2026-05-01 14:00:00.000  +0s     charge       attempt.started #1               charge-card; in {"card":"•••"}
2026-05-01 14:00:10.000  +10s    charge       attempt.failed #1     10s        charge-card; error: no outcome·[31m in time; timed_out, retry in 28s
2026-05-01 14:00:38.000  +38s    charge       attempt.started #2    after 28s  charge-card
`, firstLines(text, 5))
	require.Contains(t, text, "undo charge")
	require.Contains(t, text, "changed my mind; cancelled; by bob")
	var back projections.Story
	require.NoError(t, json.Unmarshal([]byte(write(projections.FormatJSON)), &back))
	require.Len(t, back.Rows, len(facts))
	require.Len(t, strings.Split(strings.TrimSpace(write(projections.FormatNDJSON)), "\n"), len(facts))
	records, err := csv.NewReader(strings.NewReader(write(projections.FormatCSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, len(facts)+1)
	require.Error(t, s.Write(&strings.Builder{}, "yaml", nil))
}

func firstLines(s string, n int) string {
	lines := strings.SplitAfterN(s, "\n", n+1)
	return strings.Join(lines[:n], "")
}

func TestAStoryComesStraightFromTheStream(t *testing.T) {
	t.Parallel()
	log := madeUp(t, 6, 60)
	v, err := verify.All(t.Context(), log)
	require.NoError(t, err)
	for _, h := range v.Heads {
		s, err := projections.TellStory(t.Context(), log, h.Run)
		require.NoError(t, err)
		require.Len(t, s.Rows, int(h.Revision)+1)
		var b strings.Builder
		require.NoError(t, s.Write(&b, projections.FormatJSON, nil))
		require.NotContains(t, b.String(), "4111")
		require.NotContains(t, b.String(), `"secret"`)
	}
	_, err = projections.TellStory(t.Context(), log, domain.NewRunID())
	require.ErrorIs(t, err, projections.ErrNotFound)
}

func TestWhyARunWaits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 14, 1, 33, 0, time.UTC)
	step := func(s projections.RunStep) string {
		return (&projections.Run{State: domain.RunRunning, Steps: []projections.RunStep{s}}).Waiting(now)
	}
	due := now.Add(38 * time.Second)
	require.Equal(t, "ship/3: attempt 4 at 14:02:11 (in 38s) after timeout",
		step(projections.RunStep{Step: "ship/3", Kind: projections.WaitsRetry, Attempt: 3, Due: due, Error: "timeout"}))
	require.Equal(t, "stuck: undo of charge-card failed 10 times: card_gone; retry, skip or resolve",
		step(projections.RunStep{Step: "charge-card", Direction: domain.Undo, Kind: projections.WaitsPerson, Attempt: 10, Error: "card_gone"}))
	require.Equal(t, "nap: sleeps until 14:02:11 (in 38s)", step(projections.RunStep{Step: "nap", Kind: projections.WaitsTimer, Due: due}))
	require.Equal(t, "ok: waits for signal approve, at most until 14:02:11 (in 38s)", step(projections.RunStep{Step: "ok", Kind: projections.WaitsSignal, What: "approve", Due: due}))
	require.Equal(t, "paid: waits for event order.paid", step(projections.RunStep{Step: "paid", Kind: projections.WaitsEvent, What: "order.paid"}))
	require.Equal(t, "sub: waits for child run 7", step(projections.RunStep{Step: "sub", Kind: projections.WaitsChild, What: "7"}))
	require.Equal(t, "pay: attempt 1 is probed, after no outcome", step(projections.RunStep{Step: "pay", Kind: projections.WaitsProbe, Attempt: 1, Error: "no outcome"}))
	require.Equal(t, "pay: attempt 2 runs for 1m33s", step(projections.RunStep{Step: "pay", Kind: projections.WaitsOutcome, Attempt: 2, Since: now.Add(-93 * time.Second)}))
	many := projections.Run{State: domain.RunIsStuck, More: 3, Steps: []projections.RunStep{{Step: "a", Kind: projections.WaitsTimer, Due: due}, {Step: "b", Kind: projections.WaitsPerson, Error: "no"}}}
	require.Equal(t, "stuck: b failed: no; retry, skip or resolve (and 4 more)", many.Waiting(now))
	require.Equal(t, "no worker for action charge since 12:01", (&projections.Run{State: domain.RunRunning, Blocked: "no worker for action charge since 12:01"}).Waiting(now))
	require.Equal(t, "paused: maintenance", (&projections.Run{State: domain.RunRunning, Paused: "maintenance", Steps: many.Steps}).Waiting(now))
	require.Empty(t, (&projections.Run{State: domain.RunIsCompleted}).Waiting(now))
}

func TestAHistogramTellsQuantiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ds := rapid.SliceOfN(rapid.Int64Range(-5, int64(48*time.Hour)), 1, 100).Draw(t, "durations")
		var all, left, right projections.Histogram
		for i, d := range ds {
			all.Add(time.Duration(d))
			if i%2 == 0 {
				left.Add(time.Duration(d))
			} else {
				right.Add(time.Duration(d))
			}
			ds[i] = max(d, 0)
		}
		left.Merge(right)
		require.Equal(t, all, left)
		slices.Sort(ds)
		for _, q := range []float64{0, 0.5, 0.9, 1} {
			exact := ds[max(0, int(float64(len(ds))*q+0.9999999)-1)]
			got := all.Quantile(q)
			require.GreaterOrEqual(t, int64(got), exact-1)
			require.LessOrEqual(t, float64(got), 1.19*float64(exact)+2000)
		}
	})
	require.Zero(t, (&projections.Histogram{}).Quantile(0.5))
	require.Zero(t, (&projections.Histogram{}).Mean())
}

func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, "card gone a1", projections.Words("Card_gone: card", "a1"))
	require.LessOrEqual(t, len(projections.Words(strings.Repeat("ü", 500))), 128)
	var many []string
	for i := range 20_000 {
		many = append(many, time.Duration(i).String())
	}
	require.LessOrEqual(t, len(projections.Words(many...)), 8192)
}

func TestAConfigurationSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := projections.New(projections.Config{Batch: -1, Views: []projections.View{
		{Name: "Bad Name", Tables: []projections.Table{{Name: "t", Key: []string{"nope"}, Words: "w", Indexes: [][]string{{}}}}}, projections.Runs(), projections.Runs(),
	}})
	for _, part := range []string{"Source is missing", "Store is missing", "must not be negative", "Bad Name", "Version is 0", "New is missing", `Key names "nope"`, "index without columns", "two views"} {
		require.ErrorContains(t, err, part)
	}
}
