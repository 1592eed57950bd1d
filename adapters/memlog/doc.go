// Package memlog is an event log in memory: the whole contract of [domain.Log], no
// durability and no limit but the machine's memory. It is meant for tests and for
// trying things out.
//
// Positions are as unkind as those of a server's log: byte offsets, which grow by each
// event's size. A position that no event has is refused with [domain.ErrBadPosition], so
// that code which computes with positions shows in its tests. Data and metadata are copied on
// append; what reads yield is shared between all readers and must not be modified.
//
// It owns the events, in memory. It knows nothing of what they mean.
//
// Files, in reading order:
//
//   - read.go: reads and subscriptions
//   - log.go: the log and its appends
package memlog
