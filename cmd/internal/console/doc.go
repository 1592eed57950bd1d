// Package console has the input and output of commands: flags and payloads in, tables and JSON out.
//
// It owns what commands share there: the formats of --output, lists and their pages, times and ages
// as people type them, the names of runs, the removal of control characters, plans and their
// confirmation, what to do next, and the error for a wrong command line. It knows nothing of
// servers, directories and what commands do.
//
// Files, in reading order:
//
//   - paging.go: the pages of a list
//   - listing.go: lists as tables, JSON and CSV
//   - formats.go: the formats that there are, and the flag that chooses one
//   - fit.go: which columns a narrow terminal has room for
//   - plan.go: what a command is about to do, and the question whether to do it
//   - next.go: what to do next
//   - pager.go: texts that are longer than the terminal is high
//   - console.go: where a command reads and writes
//   - payload.go: a JSON payload from the command line
//   - flags.go: flags for times, ages, states and labels
//   - run_id.go: the names of runs
//   - text.go: single texts, times and colours
//   - usage.go: wrong command lines
package console
