// Package preview prints what cancelling a run would do, for the command undo-preview and for
// commands that are about to turn a run back.
//
// It owns the look of previews. It knows nothing of the commands that show one, and nothing of how
// a preview is made.
//
// Files, in reading order:
//
//   - preview.go: the steps of a preview, and how it ends
package preview
