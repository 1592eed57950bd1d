// Package httpapi serves atone over HTTP: starting runs and waiting for them, looking at them,
// steering them, and everything that a person who operates sagas asks. docs/http-api.md tells how
// to use it; the OpenAPI 3.1 document that a [Server] serves at /openapi.json is made from the same
// Go types as the handlers.
//
// It owns the operations: their addresses, parameters, statuses and problems, and the bounds on
// what a client may ask. It keeps no truth of its own: it reads views and the log, and speaks to
// the coordinator. It knows nothing of the web page that it may serve beside the API. Package
// httpapi/auth says who may do what, httpapi/wire holds the bodies, and httpapi/client is a typed
// Go client.
//
// Files, in reading order:
//
//   - server.go: New, and serving until the end
//   - routes.go: all operations, and what is around each request
//   - paths.go: what is at the other addresses
//   - start.go: starting runs and waiting for their ends
//   - runs.go: how a run stands or stood, why it waits, what a cancel would do
//   - history.go: the diagram of a run, and its story
//   - events.go: the events of a run, live too, and domain events
//   - control.go: the levers, for one run and for many
//   - lists.go: runs, audit, incidents and statistics by filter
//   - definitions.go: the registered sagas and actions
//   - admin.go: views, tokens and sessions
//   - health.go: whether the process can serve, and its metrics
//   - operation.go: how an operation is registered and documented, and who is let in
//   - document.go: what the document says beyond the types
//   - callers.go: what a caller's token allows, and how long a caller may wait
//   - streams.go: how many live streams may be open
//   - sse.go: server-sent events
//   - body.go: bodies that are strict, bounded and in time
//   - problem.go: errors as problems, bounded
//   - config.go: what the server is given
package httpapi
