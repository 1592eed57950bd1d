// Package views lists atone's own views and has one reader for all of them.
//
// It owns that list only: each view has its own package. It knows nothing of stores and of how
// views are projected.
//
// Files, in reading order:
//
//   - views.go: the list and the reader
package views
