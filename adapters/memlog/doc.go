// Package memlog is an event log in memory: the whole contract of [domain.Log], no
// durability and no limit but the machine's memory. It is meant for tests and for
// trying things out.
//
// Positions are byte offsets, which grow by each event's size, as in a server's log. A position
// that no event has is refused with [domain.ErrBadPosition], so that tests find code which computes
// positions. Data and metadata are copied on append; readers share what reads yield and must not
// modify it.
//
// It owns the events, in memory. It knows nothing of what they mean.
//
// Files, in reading order:
//
//   - read.go: reads and subscriptions
//   - log.go: the log and its appends
package memlog
