package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/saga"
)

// Sources are what [Metrics.Watch] reads at each scrape. Nil sources are left out.
type Sources struct {
	Coordinator *saga.Coordinator
	// Log returns the numbers of the embedded log, such as pebblelog's.
	Log func() LogStats
	// Projections returns the state of the views; a [runner.Runner] implements it.
	Projections interface {
		Status(ctx context.Context) ([]runner.Status, error)
	}
	// Views returns counts by saga over all processes; a [projections.Reader] implements it.
	Views interface {
		Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error)
		Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error)
		RunCounts(ctx context.Context, f runs.Filter) (map[domain.RunState]int, error)
	}
}

// LogStats are numbers about a log since it was opened.
type LogStats struct {
	Appends, Events, Bytes, Conflicts, Repeats, SlowDisk uint64
	// SyncWaits[i] counts the batches that took up to SyncBounds[i] to become durable; its last
	// element counts the rest. SyncWait is the sum of all times.
	SyncWaits  []uint64
	SyncBounds []time.Duration
	SyncWait   time.Duration
	// BatchSizes[i] counts the batches of up to BatchBounds[i] appends.
	BatchSizes  []uint64
	BatchBounds []uint64
	Subscribers int64
	DiskBytes   uint64
	// Failed means that the log takes no more appends.
	Failed bool
}

// scrape is how long one source may take.
const scrape = 10 * time.Second

// runsCollector has the metrics of the coordinator's runs.
type runsCollector struct{ c *saga.Coordinator }

var (
	runsDesc      = desc("atone_runs", "Unfinished runs by state.", "state")
	unreadDesc    = desc("atone_runs_unreadable", "Unfinished runs that wait because this process can't read them.")
	activeDesc    = desc("atone_runs_active", "Runs under way in this process, without those that only wait.")
	appendsDesc   = desc("atone_run_appends_total", "Appends to runs' streams.")
	eventsDesc    = desc("atone_run_events_total", "Events appended to runs' streams.")
	conflictsDesc = desc("atone_run_append_conflicts_total", "Appends that lost a race at their revision; the run was loaded and decided again.")
	triggersDesc  = desc("atone_triggers_held_up_seconds", "How long a trigger has made no progress.", "trigger")
	rejectedDesc  = desc("atone_trigger_events_rejected_total", "Events that could not start a run and were skipped.", "trigger")
	rejectsDesc   = desc("atone_rejected_events_open", "Events that could not start a run, and that nobody has retried or dismissed.", "trigger")
	heldUpDesc    = desc("atone_alerts_held_up_seconds", "How long a sink has not accepted the alert that it is sent.", "sink")
	waitingDesc   = desc("atone_queue_waiting", "Runs that wait for a free place of an action.", "action")
	placesDesc    = desc("atone_queue_in_flight", "Attempts of an action that were handed to handlers and have no outcome yet.", "action")
	limitDesc     = desc("atone_queue_limit", "How many attempts of an action may be in flight at once.", "action")
	hungDesc      = desc("atone_queue_hung", "Places of an action kept by handlers that still run although their attempts were given up.", "action")
	skewDesc      = desc("atone_node_clock_skew_seconds", "How far the wall clock of another living node is ahead of this one's.", "node")
	steppedDesc   = desc("atone_clock_stepped_seconds", "By how much this process's wall clock was set since it started.")
	stepsDesc     = desc("atone_clock_steps_total", "How often this process's wall clock was set since it started.")
	readyDesc     = desc("atone_ready", "1 while the coordinator is ready: it has started, and its log answers.")
	silentDesc    = desc("atone_log_silent_seconds", "How long the log has not answered appends.")
)

// Describe implements [prometheus.Collector].
func (runsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{runsDesc, unreadDesc, activeDesc, appendsDesc, eventsDesc, conflictsDesc, heldUpDesc, triggersDesc, rejectedDesc, rejectsDesc, waitingDesc, placesDesc, limitDesc, hungDesc, skewDesc, steppedDesc, stepsDesc, readyDesc, silentDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (r runsCollector) Collect(ch chan<- prometheus.Metric) {
	ready := 0.0
	if r.c.Health() == nil {
		ready = 1
	}
	gauge(ch, readyDesc, ready)
	select {
	case <-r.c.Ready():
	default:
		return
	}
	gauge(ch, silentDesc, r.c.LogSilence().Seconds())
	states := r.c.RunStates()
	for _, s := range []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck} {
		gauge(ch, runsDesc, float64(states[s]), string(s))
	}
	gauge(ch, unreadDesc, float64(len(r.c.UnreadableRuns())))
	gauge(ch, activeDesc, float64(r.c.ActiveRuns()))
	st := r.c.Stats()
	counter(ch, appendsDesc, float64(st.Appends.Load()))
	counter(ch, eventsDesc, float64(st.Events.Load()))
	counter(ch, conflictsDesc, float64(st.Conflicts.Load()))
	for sink, since := range r.c.AlertsHeldUp() {
		gauge(ch, heldUpDesc, since.Seconds(), sink)
	}
	for trigger, since := range r.c.TriggersHeldUp() {
		gauge(ch, triggersDesc, since.Seconds(), trigger)
	}
	for trigger, n := range r.c.EventsRejected() {
		counter(ch, rejectedDesc, float64(n), trigger)
	}
	for of, n := range r.c.Rejected().Open() {
		gauge(ch, rejectsDesc, float64(n), "trigger "+of.Saga+" "+of.Type)
	}
	for action, d := range r.c.QueueDepths() {
		gauge(ch, waitingDesc, float64(d.Waiting), action)
		gauge(ch, placesDesc, float64(d.InFlight), action)
		gauge(ch, limitDesc, float64(d.Limit), action)
		gauge(ch, hungDesc, float64(d.Hung), action)
	}
	r.clocks(ch)
}

// clocks has the metrics of wall clocks: this process's and those of other nodes.
func (r runsCollector) clocks(ch chan<- prometheus.Metric) {
	own := r.c.Clock()
	gauge(ch, steppedDesc, own.Stepped.Seconds())
	counter(ch, stepsDesc, float64(own.Steps))
	for _, n := range r.c.Nodes() {
		if !n.Self && n.Alive && n.SkewKnown {
			gauge(ch, skewDesc, n.Skew.Seconds(), n.Name)
		}
	}
}

// logCollector has the metrics of the log.
type logCollector struct{ stats func() LogStats }

var (
	logAppendsDesc     = desc("atone_log_appends_total", "Appends that were written.")
	logEventsDesc      = desc("atone_log_events_total", "Events that were written.")
	logBytesDesc       = desc("atone_log_bytes_total", "Bytes of events that were written.")
	logConflictsDesc   = desc("atone_log_conflicts_total", "Appends refused because the stream was not at the expected revision.")
	logRepeatsDesc     = desc("atone_log_repeats_total", "Appends recognised as repeats.")
	logSlowDesc        = desc("atone_log_slow_disk_total", "Disk operations that took seconds.")
	logSyncDesc        = desc("atone_log_append_seconds", "How long batches of appends took to become durable.")
	logBatchDesc       = desc("atone_log_batch_appends", "How many appends shared a batch.")
	logSubscribersDesc = desc("atone_log_subscribers", "Live subscriptions.")
	logDiskDesc        = desc("atone_log_disk_bytes", "The space that the log takes on disk.")
	logFailedDesc      = desc("atone_log_failed", "1 when the log takes no more appends.")
)

// Describe implements [prometheus.Collector].
func (logCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{logAppendsDesc, logEventsDesc, logBytesDesc, logConflictsDesc, logRepeatsDesc, logSlowDesc, logSyncDesc, logBatchDesc,
		logSubscribersDesc, logDiskDesc, logFailedDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (l logCollector) Collect(ch chan<- prometheus.Metric) {
	s := l.stats()
	counter(ch, logAppendsDesc, float64(s.Appends))
	counter(ch, logEventsDesc, float64(s.Events))
	counter(ch, logBytesDesc, float64(s.Bytes))
	counter(ch, logConflictsDesc, float64(s.Conflicts))
	counter(ch, logRepeatsDesc, float64(s.Repeats))
	counter(ch, logSlowDesc, float64(s.SlowDisk))
	bounds := make([]float64, len(s.SyncBounds))
	for i, b := range s.SyncBounds {
		bounds[i] = b.Seconds()
	}
	histogram(ch, logSyncDesc, s.SyncWaits, bounds, s.SyncWait.Seconds())
	bounds = make([]float64, len(s.BatchBounds))
	for i, b := range s.BatchBounds {
		bounds[i] = float64(b)
	}
	histogram(ch, logBatchDesc, s.BatchSizes, bounds, float64(s.Appends))
	gauge(ch, logSubscribersDesc, float64(s.Subscribers))
	gauge(ch, logDiskDesc, float64(s.DiskBytes))
	failed := 0.0
	if s.Failed {
		failed = 1
	}
	gauge(ch, logFailedDesc, failed)
}

// viewsCollector has the metrics of projections.
type viewsCollector struct {
	p interface {
		Status(ctx context.Context) ([]runner.Status, error)
	}
}

var (
	lagEventsDesc   = desc("atone_projection_lag_events", "Events that a view lacks; for large numbers a lower bound.", "view")
	lagSecondsDesc  = desc("atone_projection_lag_seconds", "The age of the oldest event that a view lacks.", "view")
	positionDesc    = desc("atone_projection_position", "The log position that a view's rows stand for.", "view")
	viewUpDesc      = desc("atone_projection_up", "1 when a view is built and follows the log.", "view")
	viewBuildDesc   = desc("atone_projection_rebuilding", "1 while a view is rebuilt.", "view")
	viewLeadingDesc = desc("atone_projection_leading", "1 when this process projects the view.", "view")
)

// Describe implements [prometheus.Collector].
func (viewsCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagEventsDesc, lagSecondsDesc, positionDesc, viewUpDesc, viewBuildDesc, viewLeadingDesc} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (v viewsCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrape)
	defer cancel()
	all, err := v.p.Status(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(viewUpDesc, err)
		return
	}
	flag := func(d *prometheus.Desc, b bool, view string) {
		if b {
			gauge(ch, d, 1, view)
		} else {
			gauge(ch, d, 0, view)
		}
	}
	for _, s := range all {
		gauge(ch, lagEventsDesc, float64(s.LagEvents), s.View)
		gauge(ch, lagSecondsDesc, s.Lag.Seconds(), s.View)
		old := s.Live != nil && s.Live.Old
		if s.Live != nil && !old {
			gauge(ch, positionDesc, float64(s.Live.Position), s.View)
		}
		flag(viewUpDesc, s.Live != nil && !old && s.Err == nil, s.View)
		flag(viewBuildDesc, s.Building != nil, s.View)
		flag(viewLeadingDesc, s.Leading, s.View)
	}
}
