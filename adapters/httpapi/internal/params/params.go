package params

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
)

// Duration is a time.Duration written as text, such as 1m30s or 7d. It is a struct because huma
// parses only structs with UnmarshalText.
type Duration struct{ time.Duration }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	if d.Duration, err = time.ParseDuration(string(text)); err != nil {
		d.Duration, err = accept.ParseAge(string(text)) // days, as on the command line
	}
	return err
}

// Time is a time.Time that [accept.Time] takes, written in RFC 3339. It is a struct for the reason
// that [Duration] is.
type Time struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(text []byte) (err error) {
	t.Time, err = accept.ParseTime("the time", string(text))
	return err
}

// Run names a run.
type Run struct {
	ID domain.RunID `path:"id" format:"uuid" doc:"The run's id, the last 6 or more digits of it or, for a run that was started with a key, SAGA:KEY."`
}

// Revision is a revision of a run that a parameter may leave out. It is read as a whole number.
type Revision struct {
	Value int64
	Given bool
}

// Receiver implements [huma.ParamWrapper].
func (r *Revision) Receiver() reflect.Value { return reflect.ValueOf(&r.Value).Elem() }

// OnParamSet implements [huma.ParamReactor].
func (r *Revision) OnParamSet(given bool, _ any) { r.Given = given }

// Or returns the revision or, where none was given, the other.
func (r Revision) Or(other int64) int64 {
	if r.Given {
		return r.Value
	}
	return other
}

// Schema implements [huma.SchemaProvider].
func (Revision) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[int64]())
}

// Start has the parameters that all starts share. The body is the run's input, unwrapped.
type Start struct {
	Key         string          `header:"Idempotency-Key" maxLength:"500" doc:"The same key with the same input gives the same run; with another input it is a conflict."`
	TraceParent string          `header:"Traceparent" maxLength:"100" doc:"The W3C trace that the run becomes part of."`
	Labels      []string        `query:"label,explode" maxItems:"50" doc:"Labels as name=value, each in a parameter of its own."`
	Deadline    Time            `query:"deadline" format:"date-time" doc:"The run turns back if it has not ended by then."`
	Wait        Duration        `query:"wait" doc:"How long to wait for the run's end, such as 30s; the server's limit applies."`
	Below       bool            `query:"below" doc:"End the wait, too, when a child run, or one further below, is stuck; below in the result then names it."`
	Body        json.RawMessage `required:"false" doc:"The input: JSON that fits the saga's input type; null when absent. What the type requires must be there: null, and an object without a required member, are refused."`
}

// Follow asks for a live stream of a list.
type Follow struct {
	Request
	Follow bool   `query:"follow" doc:"A live stream of server-sent events instead of a page, as with Accept: text/event-stream."`
	Last   string `header:"Last-Event-ID" maxLength:"20" doc:"For a stream: the id of the last event seen; the stream goes on after it."`
	Accept string `header:"Accept" maxLength:"1000" doc:"text/event-stream for a live stream."`
}

// Wants reports whether the caller asks for a live stream.
func (f *Follow) Wants() bool {
	u := f.Context.URL()
	return f.Follow || u.Query().Has("follow") && u.Query().Get("follow") == "" || strings.Contains(f.Accept, "text/event-stream")
}

// Resolve implements [huma.Resolver]: it refuses a page of a stream.
func (f *Follow) Resolve(hc huma.Context) []error {
	f.Context = hc
	u := hc.URL()
	if cursor := u.Query().Get("cursor"); cursor != "" && f.Wants() {
		return []error{&huma.ErrorDetail{Location: "query.cursor", Message: "a live stream has no pages: leave the cursor out", Value: cursor}}
	}
	return nil
}

// Runs asks for runs in some states, or for a live stream of them.
type Runs struct {
	States []domain.RunState `query:"state,explode" maxItems:"13" enum:"running,compensating,stuck,stuck-below,blocked,paused,retrying,waiting,working,completed,compensated,cancelled,abandoned" doc:"In one of these states. An unfinished run is running, compensating or stuck, and may be in further states at once."`
	Follow
}

// Resolve implements [huma.Resolver]: it says of a state that does not exist which may be meant.
func (r *Runs) Resolve(hc huma.Context) []error {
	if errs := r.Follow.Resolve(hc); errs != nil {
		return errs
	}
	if err := search.CheckStates(r.States, runs.AllStates); err != nil {
		return []error{&huma.ErrorDetail{Location: "query.state", Message: err.Error(), Value: r.States}}
	}
	return nil
}

// Acted has the headers that all answers to acts share.
type Acted struct {
	Position uint64 `header:"Atone-Position" doc:"The log position of the run's latest event or, for a bulk act, of the log's latest. Pass it as at_least to a list to see what the act did."`
}

// Steered has the headers of the answer to an act on one run.
type Steered struct {
	Acted
	Unchanged string `header:"Atone-Unchanged" doc:"Why the act changed nothing, such as: the run is paused already. It is absent if the act changed something."`
}

// Tell notes that the act changed nothing.
func (s *Steered) Tell(why string) { s.Unchanged = why }

// Page has the parameters that all lists share.
type Page struct {
	From      Time   `query:"from" format:"date-time" doc:"At or after this time."`
	To        Time   `query:"to" format:"date-time" doc:"Before this time."`
	Text      string `query:"text" maxLength:"500" doc:"Words, or beginnings of words, that must all occur."`
	Ascending bool   `query:"ascending" doc:"Oldest first."`
	Limit     int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The size of the page."`
	Cursor    string `query:"cursor" maxLength:"2000" doc:"Continues after an earlier page: its next."`
	Fresh
}

// Hidden hides snoozed incidents.
type Hidden struct {
	Snoozed string `query:"snoozed" enum:"hide,show" default:"hide" doc:"Whether to show open incidents that are snoozed now, by themselves or with their group. If they are hidden, a page may have fewer rows than its limit."`
}

// Fresh asks for rows that include a recent write.
type Fresh struct {
	AtLeast uint64   `query:"at_least" maximum:"9223372036854775807" doc:"The log position that the rows must include."`
	Latest  bool     `query:"latest" doc:"The rows should include everything that is recorded now. After within, 1s when absent, the answer has those that there are."`
	Within  Duration `query:"within" doc:"How long to wait for rows at that position; 2s when absent."`
}

// BodyMissing says what is wrong with a request that [Bodiless] reports.
const BodyMissing = "this needs a body: a JSON object, as /openapi.json describes it; {} where nothing in it is required"

// Bodiless reports whether the request has no body and the operation needs one.
func Bodiless(op *huma.Operation, r *http.Request) bool {
	return op.RequestBody != nil && op.RequestBody.Required && r.ContentLength == 0
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
