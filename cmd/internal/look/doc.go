// Package look has the commands that read and change nothing: runs, show, audit, why, undo-preview,
// explore, incidents, events, rejected, stats, export, sagas, actions and version.
//
// It owns their flags and their output. It knows nothing of where the runs are, and nothing of the
// commands that act.
//
// Files, in reading order:
//
//   - commands.go: the list of the commands
//   - runs.go: runs by filter
//   - watch.go: runs as they change
//   - export.go: runs with their events
//   - filter.go: the flags that select runs
//   - audit.go: the story of a run, and acts across runs
//   - story.go: a run's story and events from the API
//   - show.go: one run
//   - why.go: what a run waits for
//   - undo_preview.go: what a cancel would do
//   - explore.go: what can still become of a run
//   - one_run.go: a question about one run, asked and answered
//   - incidents.go: what needs a person
//   - groups.go: incidents in groups
//   - events.go: domain events
//   - rejected.go: events that could not start their runs
//   - stats.go: counts, rates and latencies
//   - catalogue.go: sagas and actions
//   - sagas_check.go: files of sagas, checked
//   - version.go: the program's version
package look
