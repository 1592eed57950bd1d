// Package tty finds out what an output can show, and colours text where it can.
//
// It owns the size of terminals and the choice of colours. It knows nothing of what is written.
//
// Files, in reading order:
//
//   - tty.go: size and colours
package tty
