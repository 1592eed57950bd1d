package audit

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Row is an act or an outcome.
type Row struct {
	Position domain.Position
	Run      domain.RunID
	Revision uint64
	At       time.Time
	Saga     string
	// What is the event's wire name without its version, or [story.Emitted].
	What      string
	Step      string
	Direction domain.Direction
	Attempt   int
	Action    string
	Actor     string
	Error     string
	// Note is further information: a reason, the time of the retry, the type of an emitted event.
	Note string
	// Event is the domain event that started or woke the run; empty for other acts.
	Event string
}

// decode reads a row of the table.
func decode(r projections.Row) (Row, error) {
	return Row{
		Position: domain.Position(r.Int(columnPos)), Run: r.Run(columnRun), Revision: uint64(r.Int(columnRevision)), At: r.Time(columnAt),
		Saga: r.Text(columnSaga), What: r.Text(columnWhat), Step: r.Text(columnStep), Direction: domain.Direction(r.Text(columnDirection)),
		Attempt: int(r.Int(columnAttempt)), Action: r.Text(columnAction), Actor: r.Text(columnActor), Error: r.Text(columnError),
		Note: r.Text(columnNote), Event: r.Text(columnEvent),
	}, nil
}
