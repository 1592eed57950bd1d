package runs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga/explain"
)

func TestWhyARunWaits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 14, 1, 33, 0, time.UTC)
	step := func(s runs.Step) string {
		return (&runs.Row{State: domain.RunRunning, Steps: []runs.Step{s}}).Waiting(now, explain.ClockIn(now, time.UTC))
	}
	due := now.Add(38 * time.Second)
	require.Equal(t, "ship/3: attempt 4 at 14:02:11 UTC (in 38s) after timeout",
		step(runs.Step{Step: "ship/3", WaitsFor: explain.ForRetry, Attempt: 3, Due: due, Error: "timeout"}))
	require.Equal(t, "stuck: undo of charge-card failed 10 times: card_gone; retry, skip or resolve",
		step(runs.Step{Step: "charge-card", Direction: domain.Undo, WaitsFor: explain.ForPerson, Attempt: 10, Error: "card_gone"}))
	require.Equal(t, "nap: sleeps until 14:02:11 UTC (in 38s)", step(runs.Step{Step: "nap", WaitsFor: explain.ForTime, Due: due}))
	require.Equal(t, "ok: waits for signal approve, at most until 14:02:11 UTC (in 38s)", step(runs.Step{Step: "ok", WaitsFor: explain.ForSignal, What: "approve", Due: due}))
	require.Equal(t, "paid: waits for event order.paid", step(runs.Step{Step: "paid", WaitsFor: explain.ForEvent, What: "order.paid"}))
	require.Equal(t, "sub: waits for child run 7", step(runs.Step{Step: "sub", WaitsFor: explain.ForChild, What: "7"}))
	require.Equal(t, "pay: attempt 1 is to be probed, after no outcome", step(runs.Step{Step: "pay", WaitsFor: explain.ForProbe, Attempt: 1, Error: "no outcome"}))
	require.Equal(t, "pay: attempt 2 runs for 1m33s", step(runs.Step{Step: "pay", WaitsFor: explain.ForOutcome, Attempt: 2, Since: now.Add(-93 * time.Second)}))
	many := runs.Row{State: domain.RunIsStuck, More: 3, Steps: []runs.Step{{Step: "a", WaitsFor: explain.ForTime, Due: due}, {Step: "b", WaitsFor: explain.ForPerson, Error: "no"}}}
	require.Equal(t, "stuck: b failed: no; retry, skip or resolve (and 4 more)", many.Waiting(now, explain.ClockIn(now, time.UTC)))
	require.Equal(t, "no worker for action charge since 12:01", (&runs.Row{State: domain.RunRunning, Blocked: "no worker for action charge since 12:01"}).Waiting(now, explain.ClockIn(now, time.UTC)))
	require.Equal(t, "paused: maintenance", (&runs.Row{State: domain.RunRunning, Paused: "maintenance", Steps: many.Steps}).Waiting(now, explain.ClockIn(now, time.UTC)))
	require.Empty(t, (&runs.Row{State: domain.RunIsCompleted}).Waiting(now, explain.ClockIn(now, time.UTC)))
}
