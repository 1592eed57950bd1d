// Package schema describes Go types as JSON Schema (draft 2020-12), for the people and programs
// that write inputs and read outputs.
//
// It owns how encoding/json's view of a type, and the tags that document its fields, become a
// schema. It knows nothing of sagas, and checks no payload.
//
// Files, in reading order:
//
//   - schema.go: the schema of a type
//   - fields.go: the fields of a struct, and their tags
//   - object.go: JSON objects whose members keep their order
package schema
