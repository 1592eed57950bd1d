// Package webui is the web page of atone: what ran, what failed, why a run is waiting, and the
// levers to put it right. [New] returns an http.Handler that needs a coordinator, the views and the
// log, all as small ports; [Sessions], which the composition root implements, tells who makes a
// request.
//
// It owns the pages: who may see them, what they ask, and what comes of their forms. It keeps no
// truth of its own: lists come from the views, and a run is folded from its stream at every
// request, so that its page is never behind. It knows nothing of how a page looks: internal/show
// makes answers from templates, internal/draw computes drawings, internal/format writes values, and
// internal/search reads what people type.
//
// Files, in reading order:
//
//   - handler.go: New, the routes, and what all requests go through
//   - login.go: logging in and out
//   - runs.go: the list of runs
//   - incidents.go: the incidents desk, and settling many at once
//   - run.go: the page of a run
//   - step.go: what unfolds below a step of the timeline
//   - past.go: a run as it was
//   - levers.go: what a person can do to a run
//   - trail.go: the audit trail across runs
//   - stats.go: how runs and actions fared
//   - definitions.go: the registered sagas and actions
//   - events.go: the browser of domain events
//   - lists.go: what lists have in common: cursors, and views that are behind
//   - told.go: a run read from its stream, as of one moment
//   - lookup.go: what the runs of a list are of
//   - answer.go: answers, and errors as people see them
//   - person.go: who makes a request, and what they may see
//   - config.go: what the page is given, and the ports that it asks
package webui
