// Package webhook posts alerts to an HTTP endpoint as JSON.
//
// It owns one request for each alert. It knows nothing of when to alert or when to try again, which
// the coordinator decides.
//
// Files, in reading order:
//
//   - sink.go: the sink that posts alerts
package webhook
