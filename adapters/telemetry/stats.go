package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

// statsCollector has metrics of runs and incidents from the views: all time, all processes.
type statsCollector struct {
	v interface {
		Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error)
		Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error)
		RunCounts(ctx context.Context, f runs.Filter) (map[domain.RunState]int, error)
	}
}

var (
	startedDesc   = desc("atone_runs_started_total", "Runs that were started, since the log began.", "saga")
	endedDesc     = desc("atone_runs_ended_total", "Runs that ended, by end, since the log began.", "saga", "end")
	runTimeDesc   = desc("atone_run_duration_seconds", "How long runs took from start to end.", "saga")
	stuckDesc     = desc("atone_incidents_total", "Incidents that were opened, since the log began.", "saga")
	statesDesc    = desc("atone_runs_in", "Unfinished runs in the states that a run may be in besides running, compensating or stuck: blocked, stuck-below, paused, retrying, waiting.", "state")
	openDesc      = desc("atone_incidents_open", "Open incidents; 1000 means 1000 or more.")
	retriesDesc   = desc("atone_action_retries_total", "Attempts that were not the first, since the log began.", "saga", "action", "direction")
	actionEndDesc = desc("atone_action_outcomes_total", "Outcomes of attempts, since the log began.", "saga", "action", "direction", "outcome")
)

// Describe implements [prometheus.Collector].
func (statsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{startedDesc, endedDesc, runTimeDesc, stuckDesc, statesDesc, openDesc, retriesDesc, actionEndDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (s statsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrape)
	defer cancel()
	all, err := s.v.Stats(ctx, stats.Filter{})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(startedDesc, err)
		return
	}
	stuck := make(map[string]int64)
	for i := range all {
		st := &all[i]
		stuck[st.Saga] += st.Stuck
		if st.Action != "" {
			dir := string(st.Direction)
			counter(ch, retriesDesc, float64(st.Retried), st.Saga, st.Action, dir)
			counter(ch, actionEndDesc, float64(st.Succeeded), st.Saga, st.Action, dir, "succeeded")
			counter(ch, actionEndDesc, float64(st.Failed), st.Saga, st.Action, dir, "failed")
			continue
		}
		counter(ch, startedDesc, float64(st.Started), st.Saga)
		for end, n := range map[string]int64{"completed": st.Succeeded, "compensated": st.Failed, "cancelled": st.Cancelled, "abandoned": st.Abandoned} {
			counter(ch, endedDesc, float64(n), st.Saga, end)
		}
		runTimes(ch, st)
	}
	for name, n := range stuck {
		counter(ch, stuckDesc, float64(n), name)
	}
	counts, err := s.v.RunCounts(ctx, runs.Filter{})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(statesDesc, err)
		return
	}
	for _, state := range []domain.RunState{runs.StateBlocked, runs.StateStuckBelow, runs.StatePaused, runs.StateRetrying, runs.StateWaiting} {
		gauge(ch, statesDesc, float64(counts[state]), string(state))
	}
	page, err := s.v.Incidents(ctx, incidents.Filter{Open: true, Limit: 1000})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(openDesc, err)
		return
	}
	gauge(ch, openDesc, float64(len(page.Rows)))
}

// runTimes merges a view's many fine buckets into a metric's few: it counts a run under the first
// bound that is not below the bound of the run's bucket.
func runTimes(ch chan<- prometheus.Metric, st *stats.Row) {
	counts := make([]uint64, len(runBounds)+1)
	for bucket, n := range st.Latency.Counts() {
		i, upper := 0, st.Latency.Bound(bucket).Seconds()
		for i < len(runBounds) && upper > runBounds[i] {
			i++
		}
		counts[i] += uint64(n)
	}
	histogram(ch, runTimeDesc, counts, runBounds, st.Latency.Sum.Seconds(), st.Saga)
}

// runBounds are the bounds of the durations of runs, in seconds: from a millisecond to a week.
var runBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600, 86400, 7 * 86400}
