// Package views has atone's own views together: the list of all, and one reader that asks each.
//
// It owns that list, and nothing of what a view is: each has its own room. It knows nothing of
// stores and of how views are projected.
//
// Files, in reading order:
//
//   - views.go: the list and the reader
package views
