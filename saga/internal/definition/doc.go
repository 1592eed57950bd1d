// Package definition is a saga and an action without types: what package saga's typed authoring
// compiles into, and what the engine runs.
//
// It owns the builder of plans, every check of a definition (order, references, tags, names,
// trials), the table of a saga's code, the registry of a coordinator, and the expansion of planned
// steps. It knows nothing of logs, handlers' calls or coordinators; of a run it knows the state
// that a read needs.
//
// Files, in reading order:
//
//   - registry.go: the sagas and actions that a coordinator knows
//   - plan_diff.go: how two plans differ
//   - expand.go: a planner's answer, turned into steps
//   - define.go: a saga, from its build function to its plan and code
//   - check_trial.go: each function, tried with made-up values
//   - check_order.go: nothing that fails backward after what can't be undone
//   - check_secret.go: names of secret fields that no type has
//   - steps.go: steps that run an action, a saga or a function
//   - wait.go: steps that wait
//   - branch.go: steps that have steps inside
//   - result.go: the output of a block
//   - flow.go: adding any step
//   - option.go: what the options of a step say
//   - check_tags.go: the types of a saga, and what their tags say
//   - builder.go: what a definition collects
//   - block.go: blocks, names and steps while they are defined
//   - source.go: what a Ref refers to, and its value in a run
//   - scope.go: what an expression sees of its run, or, in a trial, of made-up values
//   - definition.go: a saga without types
//   - action.go: an action without types
package definition
