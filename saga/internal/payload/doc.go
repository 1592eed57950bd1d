// Package payload carries values to JSON and back: inputs, outputs, signals and events.
//
// It owns how a value is written and read, which values can't be recorded, which types are certain
// to read back what they wrote, and which fields an author tagged as secret. It knows nothing of
// actions, sagas or runs.
//
// Files, in reading order:
//
//   - record.go: a handler's result, written so that it comes back
//   - memo.go: values that need not be decoded again
//   - fits.go: whether JSON that somebody wrote fits a type
//   - encode.go: any value to JSON and back
//   - reads_back.go: whether a type's values come back from JSON
//   - secrets.go: the secret fields of a type
//   - kinds.go: how encoding/json treats a type and a field
//   - same.go: comparing two texts by value
//   - sets.go: sets of names
package payload
