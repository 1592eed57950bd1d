package incidents

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Row is an incident.
type Row struct {
	// No is the position of the event that opened it.
	No domain.Position
	// ID is what people call it by.
	ID        string
	Run       domain.RunID
	Saga      string
	Step      string
	Direction domain.Direction
	Action    string
	// Attempts is how many attempts the step had in that direction.
	Attempts int
	Kind     domain.FailureKind
	Cause    string
	Opened   time.Time
	// Resolved is zero while the incident is open.
	Resolved time.Time
	// By is who ended it, How is one of the constants ([Retried] and so on) or a
	// [domain.Resolution], Reason why.
	By     string
	How    string
	Reason string
}

// Age is how long the incident has been open by now, or was.
func (r *Row) Age(now time.Time) time.Duration {
	if r.Resolved.IsZero() {
		return now.Sub(r.Opened)
	}
	return r.Resolved.Sub(r.Opened)
}

// decode reads a row of the table.
func decode(r projections.Row) (Row, error) {
	return Row{
		No: domain.Position(r.Int(columnNo)), ID: r.Text(columnIncident), Run: r.Run(columnRun), Saga: r.Text(columnSaga), Step: r.Text(columnStep),
		Direction: domain.Direction(r.Text(columnDirection)), Action: r.Text(columnAction), Attempts: int(r.Int(columnAttempt)),
		Kind: domain.FailureKind(r.Text(columnKind)), Cause: r.Text(columnCause), Opened: r.Time(columnOpened), Resolved: r.Time(columnResolved),
		By: r.Text(columnBy), How: r.Text(columnHow), Reason: r.Text(columnReason),
	}, nil
}
