// Package incidents is the view of incidents: why runs are or were stuck, and how that ended.
//
// It owns the table, which events open and end an incident, and the questions that can be asked.
// It knows nothing of how a query is answered or when it is projected, nor of alerts, which
// the engine raises.
//
// Files, in reading order:
//
//   - query.go: what can be asked
//   - view.go: the table
//   - apply.go: what opens and what ends an incident
//   - row.go: an incident as it is answered
package incidents
