// Package shape reads JSON Schemas of payloads as fields, for those who show them to people: the
// command line, the page of a saga, and forms.
//
// It owns what a field is called and what is said of its values. It knows nothing of Go types,
// pages or terminals. It reads the schemas that atone makes from Go types, and as much of others
// as people need: what it does not know may be anything.
//
// Files, in reading order:
//
//   - read.go: a schema as a tree of fields
//   - missing.go: what a payload lacks
//   - sample.go: a value that a field may have
//   - field.go: a field, and what is said of it in words
package shape
