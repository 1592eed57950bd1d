// Package offline has the commands that read or mend a log itself, while no server runs on it:
// audit verify, audit anchor, audit keygen and log accept-loss.
//
// It owns the keys and files of anchors and the record of an accepted loss. It knows nothing of the
// HTTP API, which redacts what the hashes cover.
//
// Files, in reading order:
//
//   - verify.go: check the hash chains
//   - anchor.go: sign where all chains end, and check against such a file
//   - loss.go: give up what a log has lost
//   - log.go: the log that verify and anchor read
//   - report.go: what a check found
package offline
