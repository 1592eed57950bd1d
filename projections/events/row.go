package events

import (
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Row says where a domain event is, and what it is found by.
type Row struct {
	Position domain.Position
	ID       uuid.UUID
	Stream   string
	Revision uint64
	Type     string
	// At is when it was emitted or, if that is unknown, when the log accepted it.
	At time.Time
	// Saga is that of the run whose action emitted it; empty for an app's event.
	Saga        string
	Correlation string
}

// decode reads a row of the table.
func decode(r projections.Row) (Row, error) {
	row := Row{
		Position: domain.Position(r.Int(columnPos)), ID: r.Run(columnID), Stream: r.Text(columnStream), Revision: uint64(r.Int(columnRevision)),
		Type: r.Text(columnType), At: r.Time(columnAt), Saga: r.Text(columnSaga), Correlation: r.Text(columnCorrelation),
	}
	if name := r.Bytes(columnName); name != nil {
		row.Stream = string(name)
	}
	return row, nil
}
