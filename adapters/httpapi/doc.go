// Package httpapi serves atone over HTTP: starting runs and waiting for them, looking at them,
// steering them, and everything else that an operator needs. docs/http-api.md explains its use;
// the OpenAPI 3.1 document that a [Server] serves at /openapi.json is made from the same Go types
// as the handlers.
//
// It owns the operations: their addresses, parameters, statuses and problems, and the limits for
// clients. It has no state of its own: it reads views and the log, and calls the coordinator. It
// knows nothing of the web page that it may serve beside the API. Package httpapi/auth decides who
// may do what, httpapi/wire has the bodies, and httpapi/client is a typed Go client.
//
// Files, in reading order:
//
//   - server.go: New, and serving until the end
//   - routes.go: all operations, and what is around each request
//   - paths.go: all other addresses, and runs named by key or by the end of their ids
//   - start.go: starting runs and waiting for their ends
//   - runs.go: how a run stands or stood, why it waits, what a cancel would do
//   - history.go: the diagram of a run, and its story
//   - events.go: the events of a run, live too; domain events, and those that were rejected
//   - control.go: the levers, for one run and for many
//   - incidents.go: the desk: incidents, their groups, notes, assignees, snoozes
//   - lists.go: runs, audit, incidents and statistics by filter or search
//   - follow.go: lists and domain events as live streams
//   - definitions.go: the registered sagas and actions
//   - admin.go: views, tokens and sessions
//   - health.go: whether the process can serve, and its metrics
//   - operation.go: how an operation is registered and documented, and who may call it
//   - document.go: the OpenAPI document, and what it says beyond the types
//   - callers.go: what a caller's token allows, how long a caller may wait, and the log position in
//     an answer
//   - body.go: strict reading of bodies, and their limits of size and time
//   - problem.go: errors as problems, bounded
//   - config.go: what the server is given
package httpapi
