// Package plans keeps the plans of sagas in the log.
//
// It owns the streams of plans, of sagas' versions, of what is secret in a plan and of its types:
// writing them before a run needs them, refusing a version whose plan has changed, and reading
// them. It knows nothing of runs.
//
// Files, in reading order:
//
//   - store.go: the store of a coordinator: publishing and ensuring plans
//   - secrets.go: what a plan's types keep secret, beside the plan
//   - types.go: what a plan's payloads are, beside the plan
//   - versions.go: the list of a saga's versions
//   - read.go: reading a plan from any log
package plans
