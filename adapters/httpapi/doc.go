// Package httpapi serves atone over HTTP: starting runs and waiting for them, looking at them, steering
// them, and everything that a person who operates sagas asks. docs/http-api.md tells how to use it;
// the OpenAPI 3.1 document that a [Server] serves at /openapi.json is made from the same Go types as
// the handlers.
//
// The API keeps no truth of its own: it reads projections and the log, and speaks to the coordinator.
//
// Package httpapi/auth says who may do what, httpapi/wire holds the bodies, and httpapi/client is a typed Go client.
package httpapi
