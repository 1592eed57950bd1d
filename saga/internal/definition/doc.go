// Package definition has sagas and actions without types: package saga's typed authoring compiles
// into them, and the engine runs them.
//
// It owns the builder of plans, every check of a definition (order, references, tags, names,
// trials), the table of a saga's code, the registry of a coordinator, and the expansion of planned
// steps. It knows nothing of logs, calls of handlers or coordinators. Of a run it knows only the
// state that reads need.
//
// Files, in reading order:
//
//   - registry.go: the sagas and actions that a coordinator knows
//   - plan_diff.go: how two plans differ
//   - expand.go: a planner's answer, turned into steps
//   - define.go: a saga, from its build function to its plan and code
//   - check_trial.go: each function, tried with made-up values
//   - check_order.go: no step fails backward after a step that can't be undone
//   - check_secret.go: names of secret fields that no type has
//   - steps.go: steps that run an action, a saga or a function
//   - wait.go: steps that wait
//   - branch.go: steps that have steps inside
//   - result.go: the output of a block
//   - flow.go: adding any step
//   - option.go: options of a step
//   - check_tags.go: the types of a saga, and what their tags say
//   - builder.go: the parts of a definition, collected while it is built
//   - block.go: blocks, names and steps while they are defined
//   - source.go: the source behind a Ref, and its value in a run
//   - scope.go: an expression's access to its run or, in a trial, to made-up values
//   - definition.go: a saga without types
//   - action.go: an action without types
package definition
