// Package payload carries values to JSON and back: inputs, outputs, signals and events.
//
// It owns how a value is written and read, which values can't be recorded, which types read back
// what they wrote for certain, and which members of a type's JSON its author tags as secret. It
// knows nothing of actions, sagas or runs.
//
// Files, in reading order:
//
//   - record.go: a handler's result, written so that it comes back
//   - memo.go: values that need not be decoded again
//   - encode.go: any value to JSON and back
//   - reads_back.go: what a type says of whether its values come back
//   - secrets.go: what a type keeps secret
//   - kinds.go: how encoding/json treats a type and a field
//   - sets.go: sets of names
package payload
