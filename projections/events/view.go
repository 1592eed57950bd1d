package events

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga/look"
)

// The columns of the table.
const (
	columnN = iota
	columnPos
	columnID
	columnStream
	columnName
	columnStream1
	columnStream2
	columnRevision
	columnType
	columnAt
	columnSaga
	columnCorrelation
)

// View returns the view of domain events: one row for each. Ask it with [Find]. It holds no
// payloads: [Read] reads them from the log.
func View() projections.View {
	return projections.View{
		Name: "events", Version: 1,
		Tables: []projections.Table{{
			Name: "events",
			Columns: []projections.Column{
				// Counts the events from 0, in the order of the log.
				{Name: "n", Type: projections.Int, Fixed: true},
				{Name: "pos", Type: projections.Int, Fixed: true},
				{Name: "id", Type: projections.Bytes, Fixed: true},
				{Name: "stream", Type: projections.Text, Fixed: true},
				// The stream's name, where a text can't hold it as it is.
				{Name: "name", Type: projections.Bytes, Fixed: true},
				// The first and the next 8 bytes of the stream's name, to find it by its beginning.
				{Name: "stream1", Type: projections.Int, Fixed: true},
				{Name: "stream2", Type: projections.Int, Fixed: true},
				{Name: "revision", Type: projections.Int, Fixed: true},
				{Name: "type", Type: projections.Text, Fixed: true},
				{Name: "at", Type: projections.Int, Fixed: true},
				// The saga of the run that emitted it; nil for an app's event.
				{Name: "saga", Type: projections.Text, Fixed: true},
				{Name: "correlation", Type: projections.Text, Fixed: true},
			},
			Key:    []string{"n"},
			Lists:  []string{"stream", "name", "type", "saga", "correlation"},
			Ranges: []string{"pos", "at", "stream1", "stream2"},
		}},
		Filter: domain.Filter{Prefixes: []string{""}},
		Wants:  look.IsOfAnApp,
		New:    func() projections.Applier { return &applier{} },
	}
}
