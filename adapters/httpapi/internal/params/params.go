package params

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Duration is a time.Duration that is written as text (1m30s). It is a struct because huma reads
// other kinds by themselves.
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	d.Duration, err = time.ParseDuration(string(text))
	return err
}

// Time is a time.Time that [accept.Time] takes, written in RFC 3339. It is a struct for the same
// reason.
type Time struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(text []byte) (err error) {
	t.Time, err = accept.ParseTime("the time", string(text))
	return err
}

// Run names a run.
type Run struct {
	ID domain.RunID `path:"id" format:"uuid" doc:"The run's id."`
}

// Start is what starts have in common. The body is the run's input as it is.
type Start struct {
	Key         string          `header:"Idempotency-Key" maxLength:"500" doc:"The same key with the same input is the same run; with another input it is a conflict."`
	TraceParent string          `header:"Traceparent" maxLength:"100" doc:"The W3C trace that the run becomes part of."`
	Labels      []string        `query:"label,explode" maxItems:"50" doc:"Labels as name=value, each in a parameter of its own."`
	Deadline    Time            `query:"deadline" format:"date-time" doc:"The run turns back if it has not ended by then."`
	Wait        Duration        `query:"wait" doc:"How long to wait for the run's end, such as 30s; the server's limit applies."`
	Body        json.RawMessage `required:"false" doc:"The input: JSON that fits the saga's input type; null when absent."`
}

// Page is what lists have in common.
type Page struct {
	From      Time   `query:"from" format:"date-time" doc:"Not before that time."`
	To        Time   `query:"to" format:"date-time" doc:"Before that time."`
	Text      string `query:"text" maxLength:"500" doc:"Words, or beginnings of words, that must all occur."`
	Ascending bool   `query:"ascending" doc:"Oldest first."`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The size of the page."`
	Cursor    string `query:"cursor" maxLength:"2000" doc:"Continues after an earlier page: its next."`
	Fresh
}

// Fresh asks for rows that have caught up with a write.
type Fresh struct {
	AtLeast uint64   `query:"at_least" maximum:"9223372036854775807" doc:"The log position that the rows must have reached."`
	Within  Duration `query:"within" doc:"How long to wait for it; 2s when absent."`
}

// Request gives an operation the request itself.
type Request struct {
	Context huma.Context `json:"-"`
}

// Resolve implements huma.Resolver.
func (h *Request) Resolve(hc huma.Context) []error {
	h.Context = hc
	return nil
}
