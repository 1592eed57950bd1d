// Package smallfile reads and replaces the small files that the log keeps beside its store.
//
// It owns how such a file is changed so that a power cut leaves the old content or the new one. It
// knows nothing of what the files say.
//
// Files, in reading order:
//
//   - smallfile.go: read, replace, remove
package smallfile
