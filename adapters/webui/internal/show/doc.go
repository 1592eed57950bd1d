// Package show makes the answers of the page from its templates, and serves its scripts and styles.
// Both are embedded, so that the page works offline and under a Content-Security-Policy without
// unsafe-inline.
//
// It owns how the page looks, and how a part of it is refreshed. It knows nothing of runs, of
// people's rights or of where data comes from: it renders a [View].
//
// Files, in reading order:
//
//   - render.go: answers, whole or only the part that changed
//   - view.go: the data of every template
//   - part.go: some of many rows
//   - functions.go: the functions that templates may call
//   - assets.go: the embedded scripts and styles
package show
