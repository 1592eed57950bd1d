// Package desk is what people do about incidents besides the levers: notes, who looks after one,
// and snoozes.
//
// It owns the limits of these acts, the events that they become in the runs' streams, and the one
// stream that holds the snoozes of groups. None of the acts changes how a run goes on. It knows
// nothing of views and clients: which incidents a group has now, its callers ask the view of
// incidents.
//
// Files, in reading order:
//
//   - desk.go: the acts on one run
//   - group.go: snoozes of groups
//   - act.go: what can be done, and its limits
package desk
