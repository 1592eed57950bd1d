// Package console is how commands read and write: flags and payloads in, tables and JSON out.
//
// It owns what all commands have in common there: the formats of --output, lists and their pages,
// times and ages as people type them, the names of runs, what a terminal must not be made to obey,
// and the error that means a wrong command line. It knows nothing of servers, directories and what
// commands do.
//
// Files, in reading order:
//
//   - paging.go: the pages of a list
//   - listing.go: lists as tables, JSON and CSV
//   - formats.go: the formats that there are, and the flag that chooses one
//   - console.go: where a command reads and writes
//   - payload.go: a JSON payload from the command line
//   - flags.go: flags for times, ages, states and labels
//   - run_id.go: the names of runs
//   - text.go: single texts, times and colours
//   - usage.go: wrong command lines
package console
