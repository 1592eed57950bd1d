package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// Metrics counts and times attempts and requests, for Prometheus. Make it before the coordinator,
// pass it to the coordinator as its observer, and add sources with [Metrics.Watch]. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  *prometheus.GaugeVec
	requests *prometheus.CounterVec
	answers  *prometheus.HistogramVec
	// known caches the metrics for an attempt's labels, because every attempt needs them.
	known sync.Map // attemptKey to *attemptMetrics
}

type attemptKey struct {
	action    string
	direction domain.Direction
}

// attemptMetrics are the metrics of an action in one direction.
type attemptMetrics struct {
	running   prometheus.Gauge
	duration  prometheus.Observer
	succeeded prometheus.Counter
}

func (m *Metrics) of(a *saga.Attempt) *attemptMetrics {
	key := attemptKey{a.Action, a.Direction}
	if known, ok := m.known.Load(key); ok {
		return known.(*attemptMetrics)
	}
	dir := string(a.Direction)
	known, _ := m.known.LoadOrStore(key, &attemptMetrics{running: m.running.WithLabelValues(a.Action, dir),
		duration: m.duration.WithLabelValues(a.Action, dir), succeeded: m.attempts.WithLabelValues(a.Action, dir, "succeeded")})
	return known.(*attemptMetrics)
}

// seconds are the bounds of the histograms of durations: from 0.1 ms to 100 s.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 100}

// NewMetrics returns metrics of the attempts in this process, and of the process itself.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "atone_attempts_total",
			Help: "Attempts that ended in this process, by action, direction (do, undo, probe, failure) and outcome (succeeded or a kind of failure)."}, []string{"action", "direction", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "atone_attempt_duration_seconds",
			Help: "How long the handlers of attempts ran.", Buckets: seconds}, []string{"action", "direction"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "atone_attempts_running",
			Help: "Attempts whose handlers run in this process now."}, []string{"action", "direction"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "atone_http_requests_total",
			Help: "HTTP requests by method and status."}, []string{"method", "code"}),
		answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "atone_http_request_duration_seconds",
			Help: "How long HTTP requests took, including waits and streams.", Buckets: seconds}, []string{"method"}),
	}
	m.registry.MustRegister(m.attempts, m.duration, m.running, m.requests, m.answers,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// AttemptBegan implements [saga.Observer].
func (m *Metrics) AttemptBegan(ctx context.Context, a saga.Attempt) context.Context {
	m.of(&a).running.Inc()
	return ctx
}

// AttemptEnded implements [saga.Observer].
func (m *Metrics) AttemptEnded(_ context.Context, a saga.Attempt, took time.Duration, failure *domain.Failure) {
	known := m.of(&a)
	known.running.Dec()
	known.duration.Observe(took.Seconds())
	if failure == nil {
		known.succeeded.Inc()
		return
	}
	m.attempts.WithLabelValues(a.Action, string(a.Direction), string(failure.Kind)).Inc()
}

// Middleware counts and times HTTP requests.
func (m *Metrics) Middleware(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.requests, promhttp.InstrumentHandlerDuration(m.answers, next))
}

// Handler serves the metrics in Prometheus' and OpenMetrics' text formats. If a source fails, its
// metrics are missing and the failure is logged. A nil logger means slog.Default.
func (m *Metrics) Handler(logger *slog.Logger) http.Handler {
	if logger == nil {
		logger = slog.Default()
	}
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true, Timeout: 30 * time.Second})
}

// Registry returns the registry, for your own metrics.
func (m *Metrics) Registry() *prometheus.Registry { return m.registry }

// Watch adds the metrics of the sources that are set. Call it once for each source.
func (m *Metrics) Watch(s Sources) error {
	var errs []error
	if s.Coordinator != nil {
		errs = append(errs, m.registry.Register(runsCollector{s.Coordinator}))
	}
	if s.Log != nil {
		errs = append(errs, m.registry.Register(logCollector{s.Log}))
	}
	if s.Projections != nil {
		errs = append(errs, m.registry.Register(viewsCollector{s.Projections}))
	}
	if s.Views != nil {
		errs = append(errs, m.registry.Register(statsCollector{s.Views}))
	}
	return errors.Join(errs...)
}
