// Package tty finds out the size of terminals, measures and colours text.
//
// It owns sizes, widths and the choice of colours. It knows nothing of what is written.
//
// Files, in reading order:
//
//   - tty.go: size and colours
//   - width.go: how many columns a text takes, and texts in columns
package tty
