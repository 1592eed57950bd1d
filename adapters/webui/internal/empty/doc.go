// Package empty says what stands on a page in the place of rows that are not there: what would be
// here, a command to copy, and a button.
//
// It owns these words, and tells "nothing yet" from "nothing matches". It is pure. It knows nothing
// of requests, of views, and of how a page looks.
//
// Files, in reading order:
//
//   - lists.go: what stands in the place of rows, list by list
//   - missing.go: what stands in the place of a page that can't be shown
//   - program.go: the program behind the page, as its reader may use it
//   - page.go: a page without rows, and what was asked of it
package empty
