// Package incidents is the view of incidents: why runs are or were stuck, what people did about
// that, and how it ended. Incidents with one cause make a group.
//
// It owns the tables, which events open, reopen and end an incident, and the questions that can be
// asked. It knows nothing of how a query is answered or when it is projected, nor of alerts, which
// the engine raises, nor of the snoozes of groups, which are in no run's stream.
//
// Files, in reading order:
//
//   - query.go: what can be asked of incidents
//   - groups.go: what can be asked of groups
//   - history.go: what can be asked of one incident's history
//   - act.go: acts on groups, incidents and runs of the view
//   - view.go: the tables
//   - apply.go: what events do to incidents
//   - ends.go: what ends an incident
//   - count.go: groups and histories as they change
//   - row.go: an incident as it is stored and answered
//   - group_row.go: a group as it is stored and answered
package incidents
