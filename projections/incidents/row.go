package incidents

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// State says where an incident stands.
type State string

// The states of an incident.
const (
	// Open: a person is needed.
	Open State = "open"
	// Retrying: a person retried the step. If that fails, the same incident is open again.
	Retrying State = "retrying"
	// Resolved: the run goes on, or is over.
	Resolved State = "resolved"
)

// Row is an incident.
type Row struct {
	// No is the position of the event that opened it first.
	No domain.Position `json:"no"`
	// ID is the id that people use.
	ID        string           `json:"id"`
	Run       domain.RunID     `json:"run"`
	Saga      string           `json:"saga"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Action    string           `json:"action,omitempty"`
	// Key, Labels and Parent are those of the run.
	Key    string            `json:"key,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	Parent *domain.ParentRef `json:"parent,omitempty"`
	State  State             `json:"state"`
	// Attempts is how many attempts the step had in that direction when it was opened last.
	Attempts int                `json:"attempts,omitempty"`
	Kind     domain.FailureKind `json:"kind"`
	// Cause is the latest failure's text, Group the id of the group that it belongs to by that.
	Cause string `json:"cause"`
	Group string `json:"group"`
	// Opened is when it was opened first, Last when it was opened last, Times how often it was.
	Opened time.Time `json:"opened"`
	Last   time.Time `json:"last"`
	Times  int       `json:"times"`
	// Resolved is zero until it is resolved.
	Resolved time.Time `json:"resolved,omitzero"`
	// By is who ended it, or retried it, How is one of the constants ([Retried] and so on) or a
	// [domain.Resolution], Reason why.
	By     string `json:"by,omitempty"`
	How    string `json:"how,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Assignee looks after it; empty if nobody does.
	Assignee string `json:"assignee,omitempty"`
	// Snoozed is when it shows again, if somebody snoozed it by itself.
	Snoozed time.Time `json:"snoozed,omitzero"`
	// Notes counts the notes; Note is the beginning of the latest.
	Notes int   `json:"notes,omitempty"`
	Note  *Note `json:"note,omitempty"`

	n int64 // the number of its row
}

// Note is what a person wrote.
type Note struct {
	Text string    `json:"text" doc:"The beginning of the note."`
	By   string    `json:"by,omitempty" doc:"Who wrote it."`
	At   time.Time `json:"at" doc:"When."`
}

// Age is how long the incident has been open, or was open until it was resolved.
func (r *Row) Age(now time.Time) time.Duration {
	if r.Resolved.IsZero() {
		return now.Sub(r.Opened)
	}
	return r.Resolved.Sub(r.Opened)
}

// live reports whether the incident is not resolved.
func (r *Row) live() bool { return r.State != Resolved }

// encode returns the row of the table.
func (r *Row) encode() (projections.Row, error) {
	doc, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("write incident %s: %w", r.ID, err)
	}
	row := projections.Row{
		columnN: r.n, columnNo: int64(r.No), columnIncident: r.ID, columnRun: r.Run, columnSaga: r.Saga, columnAction: projections.TextOrNil(r.Action),
		columnState: string(r.State), columnGroup: r.Group, columnAssignee: projections.TextOrNil(r.Assignee), columnOpened: r.Opened,
		columnResolved: r.Resolved, columnSnoozed: int64(0), columnWords: projections.TextOrNil(projections.Words(r.Cause, r.Step)), columnDoc: string(doc),
	}
	if !r.Snoozed.IsZero() {
		row[columnSnoozed] = r.Snoozed
	}
	return row, nil
}

// decode reads a row of the table.
func decode(row projections.Row) (r Row, err error) {
	if err = json.Unmarshal([]byte(row.Text(columnDoc)), &r); err != nil {
		err = fmt.Errorf("read incident %s: %w", row.Text(columnIncident), err)
	}
	r.n = row.Int(columnN)
	return r, err
}
