// Package explore has the command explore, which plays a program's sagas through every way in which
// the world can answer.
//
// It owns the command's flags, its output, and the errors that decide its exit code. It knows
// nothing of how a saga is played: that is package explore below saga.
//
// Files, in reading order:
//
//   - command.go: the command
//   - record.go: what was found, recorded
//   - report.go: what was found, for people and as JSON
//   - offers.go: what the program offers
package explore
