// Package typed adds to the OpenAPI document what the registered sagas and actions take and return.
// Without it the document says only that payloads may be any JSON.
//
// It owns where the schemas of payloads go in the document. It knows nothing of requests or
// callers: its caller passes the sagas and actions to document.
//
// Files, in reading order:
//
//   - typed.go: the document with the schemas
package typed
