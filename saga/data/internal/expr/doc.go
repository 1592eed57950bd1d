// Package expr has the values of sagas as data: what stands in a file as it is, texts with ${…} in
// them, and expressions in CEL.
//
// It owns the types that JSON Schemas give to values, how JSON becomes a value of CEL and comes
// back, what the language level atone/1 has (its functions and its limits), the check of values
// against the types, and what a failing expression says. It knows nothing of steps, plans and
// runs.
//
// Files, in reading order:
//
//   - template.go: a value with expressions in it
//   - compute.go: such a value, computed
//   - assign.go: whether a value fits where it stands
//   - compile.go: an expression, from its text to a program
//   - eval.go: an expression, from the values of a run to its own
//   - guard.go: members that may be absent are asked for first
//   - level.go: the level's declarations and limits
//   - functions.go: the level's own functions
//   - provider.go: the types of values, as CEL asks for them
//   - value.go: JSON to values, and back
//   - schema.go: the type that a JSON Schema describes, and back
//   - type.go: types
package expr
