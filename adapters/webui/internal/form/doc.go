// Package form makes forms for payloads. From a schema it makes the inputs of a form; from what a
// person filled in it makes JSON, or an error for each wrong input.
//
// It owns both translations. It knows nothing of requests, templates or sagas.
//
// Files, in reading order:
//
//   - form.go: the inputs of a payload
//   - read.go: from what was filled in to JSON
//   - restore.go: secrets that were left as they were shown
//   - check.go: what is wrong with a value
package form
