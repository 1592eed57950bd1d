// Package webui is atone's web page: what ran, what failed, why a run is waiting, and the levers to
// put it right. [New] returns an http.Handler over a coordinator, the views and the log, each
// behind a small port. [Sessions], which the composition root implements, says who makes a request.
//
// It owns the pages: who may see them, what they read, and what their forms do. It has no state of
// its own but the acts that internal/acts follows: lists come from the views, and a run is folded
// from its stream at every request, so its page is never behind. It knows nothing of how a page
// looks: internal/show renders templates, internal/draw computes drawings, internal/format writes
// values, internal/form asks for payloads, internal/empty says what stands on empty pages,
// internal/choice reads what was chosen on the incidents desk and among rejected events,
// internal/once has a form carried out once, and internal/lately keeps what every page shows.
// Package projections/search reads the searches that people type.
//
// Files, in reading order:
//
//   - handler.go: New, the routes, and what all requests go through
//   - login.go: logging in and out
//   - runs.go: the list of runs
//   - settle.go: notes, assignees and snoozes of incidents
//   - incidents.go: the incidents desk, by groups and one by one, and one incident
//   - run.go: the page of a run
//   - step.go: the details of a step, below its row of the timeline
//   - past.go: a run as it was at an earlier event
//   - levers.go: what a person can do to a run
//   - many.go: an act on many runs: what it would do first, what became of it afterwards
//   - start.go: starting runs
//   - trail.go: the audit trail across runs
//   - stats.go: statistics of runs and actions
//   - definitions.go: the registered sagas and actions, and how actions are held and released
//   - events.go: the browser of domain events, and those that were rejected
//   - lists.go: search fields, and what all lists share: cursors, views that are behind, the sagas
//     of runs
//   - told.go: a run read from its stream, as of one moment, and what it waits for
//   - answer.go: answers, and errors as people see them
//   - person.go: who makes a request, and what they may see
//   - config.go: the configuration, and the ports that the page uses
package webui
