// Package rejected is the list of domain events that could not start their runs: the code of the
// trigger failed, or the payload does not fit the saga.
//
// It owns the stream that holds them, their states, and what people do about them: retry, once a
// program is there whose trigger takes the event, or dismiss. It knows nothing of triggers and
// runs: the inbox reports the events, and a function tries one again.
//
// Files, in reading order:
//
//   - act.go: retrying and dismissing
//   - list.go: pages of the list
//   - book.go: the list as of the stream's latest event
//   - entry.go: what is kept in memory of each event
//   - record.go: the events of the stream
package rejected
