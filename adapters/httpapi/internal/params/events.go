package params

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/events"
)

// Events selects domain events.
type Events struct {
	Before      uint64   `query:"before" maximum:"9223372036854775807" doc:"Only events before this log position: an earlier page's next."`
	After       uint64   `query:"after" maximum:"9223372036854775807" doc:"Only events after this log position: an earlier page's next, oldest first."`
	Types       []string `query:"type,explode" maxItems:"50" doc:"Only events of these types."`
	TypePrefix  string   `query:"type_prefix" maxLength:"250" doc:"Only events of types that begin with this."`
	Stream      string   `query:"stream" maxLength:"250" doc:"Only events of streams whose names begin with this."`
	StreamName  string   `query:"stream_name" maxLength:"250" doc:"Only events of the stream of this name."`
	Correlation string   `query:"correlation" maxLength:"500" doc:"Only events with this correlation id."`
	From        Time     `query:"from" format:"date-time" doc:"At or after this time."`
	To          Time     `query:"to" format:"date-time" doc:"Before this time."`
	Ascending   bool     `query:"ascending" doc:"Oldest first."`
	Limit       int      `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The most events in a page."`
	Fresh
}

// Filter is what is selected, without how fresh it must be.
func (e *Events) Filter() events.Filter {
	return events.Filter{Types: e.Types, TypeBegins: e.TypePrefix, Stream: e.StreamName, StreamBegins: e.Stream, Correlation: e.Correlation,
		From: e.From.Time, To: e.To.Time, Before: domain.Position(e.Before), After: domain.Position(e.After), Ascending: e.Ascending, Limit: e.Limit}
}
