// Package telemetry tells operators how atone fares: [Metrics] for Prometheus and [Tracing] for
// OpenTelemetry. Both are observers of attempts, see [saga.Observer]; combine them with [Observers].
//
// docs/metrics.md says what each metric means; docs/grafana-dashboard.json shows them.
package telemetry
