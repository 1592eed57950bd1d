package events

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// applier numbers the rows.
type applier struct {
	next    int64 // the number of the next row
	counted bool
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) (err error) {
	if !a.counted {
		if a.next, err = projections.NextNumber(ctx, tx, "events", "n"); err != nil {
			return err
		}
		a.counted = true
	}
	rows := make([]projections.Row, len(events))
	for i := range events {
		rows[i] = encode(a.next, &events[i])
		a.next++
	}
	return tx.Put(ctx, "events", rows...)
}

// encode returns the row of the table for a domain event.
func encode(n int64, e *projections.Event) projections.Row {
	at, correlation := told(e.Recorded)
	row := projections.Row{
		columnN: n, columnPos: int64(e.Position), columnID: e.Recorded.ID, columnStream: e.Stream, columnName: nil,
		columnRevision: int64(e.Recorded.Revision), columnType: e.Type, columnAt: at, columnSaga: nil,
		columnCorrelation: projections.TextOrNil(correlation),
	}
	if !isText(e.Stream) {
		row[columnName] = []byte(e.Stream)
	}
	row[columnStream1], row[columnStream2] = projections.Beginning(e.Stream)
	if e.Of != nil {
		row[columnSaga] = projections.TextOrNil(e.Of.Saga)
	}
	return row
}

// told is when an event was emitted, and its correlation id. Other programs write metadata as they
// like; of their events the log's time is known.
func told(e *domain.Recorded) (at time.Time, correlation string) {
	m, err := domain.DecodeMeta(e.Metadata)
	if err != nil || m.At.IsZero() {
		at = e.Created
	} else {
		at = m.At
	}
	if err == nil {
		correlation = m.CorrelationID
	}
	return at, correlation
}

// isText reports whether a text column holds the name as it is.
func isText(name string) bool { return utf8.ValidString(name) && !strings.ContainsRune(name, 0) }
