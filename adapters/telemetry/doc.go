// Package telemetry tells operators how atone fares: [Metrics] for Prometheus and [Tracing] for
// OpenTelemetry. Both are observers of attempts, see [saga.Observer]; combine them with
// [Observers].
//
// It owns the names of metrics and spans. It knows nothing of what the server or the page do with a
// request, and decides nothing. docs/metrics.md says what each metric means;
// docs/grafana-dashboard.json shows them.
//
// Files, in reading order:
//
//   - observers.go: several observers as one
//   - metrics.go: what is counted in this process
//   - sources.go: what is read of the coordinator, the log and the views at each scrape
//   - stats.go: what is read of the statistics of all processes
//   - kinds.go: counters, gauges and histograms that are made at a scrape
//   - tracing.go: spans of attempts and of HTTP requests
//   - tracing_runs.go: spans of runs, made at their ends
//   - environment.go: what the OTEL_ variables ask for
//   - spans.go: the ids of spans
package telemetry
