// Package serve has the command serve: a coordinator with its HTTP API, web page, metrics and
// traces and, if wanted, the EventStoreDB protocol, until it is interrupted.
//
// It owns the order in which these start and stop, and their flags. It knows nothing of the other
// commands.
//
// Files, in reading order:
//
//   - serve.go: the command, and the services that run beside the coordinator
//   - alerts.go: alerts to the log and to a webhook
//   - site.go: views, API, page, metrics and traces
//   - protocol.go: the EventStoreDB protocol
package serve
