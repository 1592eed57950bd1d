// Package serve has the commands that run until they are interrupted: serve, a coordinator with its
// HTTP API, web page, metrics and traces and, if wanted, the EventStoreDB protocol; and worker,
// which runs actions for coordinators elsewhere.
//
// It owns the order in which these start and stop, and their flags. It knows nothing of the other
// commands.
//
// Files, in reading order:
//
//   - serve.go: the command serve, and the services that run beside the coordinator
//   - alerts.go: alerts to the log and to a webhook
//   - site.go: views, API, page, metrics and traces
//   - protocol.go: the EventStoreDB protocol
//   - worker.go: the command worker
package serve
