// Package data makes sagas of files in YAML or JSON, over the actions that a program has.
//
// It owns the language in which such a file is written (docs/sagas-as-data.md; its JSON Schema is
// saga.schema.json here), and its compilation to the same plan that the builder in Go makes, with
// the same checks. It knows nothing of logs, coordinators and handlers.
//
// Files, in reading order:
//
//   - data.go: reading files and folders
//   - action.go: a file that is an action
//   - compile.go: a file as a whole
//   - trigger.go: events that start a saga
//   - step.go: lists of steps, and one step of any kind
//   - call.go: steps that run an action, or another saga
//   - block.go: steps that have steps inside
//   - wait.go: steps that wait, compute and refuse
//   - acts.go: what an action calls: do, undo and probe
//   - request.go: one call, from the file to its parts
//   - answer.go: what an answer means
//   - calls.go: a call as whoever makes it sees it
//   - head.go: what a file says besides its steps
//   - node.go: a step while it is compiled
//   - library.go: what a program has: actions and sagas
//   - code.go: values as the code of steps
//   - scope.go: what can be read where
//   - members.go: the members of a map, read strictly
package data
