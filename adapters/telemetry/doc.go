// Package telemetry has [Metrics] for Prometheus and [Tracing] for OpenTelemetry. Both are
// observers of attempts, see [saga.Observer]; combine them with [Observers].
//
// It owns the names of metrics and spans. It knows nothing of what the server or the page do with a
// request, and decides nothing: it only observes. docs/metrics.md explains each metric;
// docs/grafana-dashboard.json shows them.
//
// Files, in reading order:
//
//   - observers.go: several observers as one
//   - metrics.go: metrics that this process counts
//   - sources.go: metrics read from the coordinator, the log and the views at each scrape
//   - stats.go: metrics read from the statistics of all processes
//   - kinds.go: how counters, gauges and histograms are made at a scrape
//   - tracing.go: spans of attempts and of HTTP requests
//   - tracing_runs.go: spans of runs, made at their ends
//   - environment.go: the OTEL_ variables
//   - spans.go: the ids of spans
package telemetry
