// Package verify checks offline that the events of runs are those that were written.
//
// It owns the check of the hash chains, and anchors: signed lists of the chains' ends. It only
// reads a log. It knows nothing of views, stores and coordinators.
//
// Files, in reading order:
//
//   - check.go: following the chains of one run or of all, and what is reported
//   - anchor.go: heads, signed, written to a file and read back
package verify
