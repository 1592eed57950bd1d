// Package badnet is a bad network for tests: a TCP proxy that stalls, resets, half-opens and cuts
// the connections that go through it, so that a handler's calls, or a log's, fail where it hurts,
// such as after the request has arrived and before its answer has come back.
//
// It owns the proxy and its faults. It knows nothing of what goes through it.
//
// Files, in reading order:
//
//   - proxy.go: the proxy
//   - fault.go: what it does to connections
//   - delay.go: answers that take their time
package badnet
