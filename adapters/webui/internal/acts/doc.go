// Package acts follows what people did to runs, and tells what became of it.
//
// It owns which acts a person has not dismissed yet, and the wait for the runs of each. It is kept
// in memory: after a restart the audit is the record. It knows nothing of how an act is done, nor
// of how it is shown.
//
// Files, in reading order:
//
//   - told.go: an act as it is told
//   - acts.go: the acts of people, from their beginning until they are dismissed
package acts
