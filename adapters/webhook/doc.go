// Package webhook tells alerts to an HTTP endpoint as JSON.
//
// It owns one request for each alert. It knows nothing of when to alert or when to try again: the
// coordinator does.
//
// Files, in reading order:
//
//   - sink.go: the sink that posts alerts
package webhook
