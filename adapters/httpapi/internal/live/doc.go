// Package live writes live streams of the HTTP API: server-sent events.
//
// It owns how a stream is written, and how many may be open at once. It knows nothing of what
// streams tell, and nothing of tokens.
//
// Files, in reading order:
//
//   - places.go: how many live streams may be open
//   - sse.go: server-sent events
package live
