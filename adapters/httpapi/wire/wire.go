package wire

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explain"
)

// ProblemPrefix begins the type member of atone's own problems (RFC 9457); what follows is one of
// the Problem constants.
const ProblemPrefix = "urn:atone:problem:"

// The kinds of problem, behind [ProblemPrefix].
const (
	ProblemNotFound      = "not-found"
	ProblemUnknownSaga   = "unknown-saga"
	ProblemUnknownAction = "unknown-action"
	ProblemKeyConflict   = "key-conflict"
	ProblemEnded         = "run-ended"
	ProblemPastPivot     = "past-pivot"
	ProblemTurnedBack    = "turned-back"
	ProblemNoStep        = "no-such-step"
	ProblemNotStuck      = "not-stuck"
	ProblemNotEnded      = "run-not-ended"
	ProblemHeld          = "action-held"
	ProblemNotHeld       = "action-not-held"
	ProblemUnreadable    = "unreadable"
	ProblemBadInput      = "bad-input"
	ProblemTooLarge      = "too-large"
	ProblemBadBody       = "bad-body"
	ProblemMethod        = "method-not-allowed"
	ProblemNoTokens      = "no-tokens"
	ProblemNoToken       = "no-such-token"
	ProblemNameTaken     = "name-taken"
	ProblemUnknownView   = "unknown-view"
	ProblemNotRunning    = "not-running"
	ProblemBusy          = "busy"
	ProblemBehind        = "view-behind"
	ProblemNoView        = "view-not-built"
	ProblemUnauthorized  = "unauthorized"
	ProblemForbidden     = "forbidden"
	ProblemTooMany       = "too-many-failures"
	ProblemInternal      = "internal"
)

// Result is a run's state: its end with all details, or that it is under way.
type Result struct {
	Run   domain.RunID    `json:"run" format:"uuid" doc:"The run's id."`
	State domain.RunState `json:"state" enum:"running,compensating,stuck,completed,compensated,cancelled,abandoned" doc:"The run's state."`
	// Output is that of a completed run.
	Output json.RawMessage `json:"output,omitempty" doc:"The output of a completed run."`
	// Cause is why the run turned back or is stuck.
	Cause *domain.Failure `json:"cause,omitempty" doc:"Why the run turned back, or is stuck."`
	// Left lists the steps whose effect was left behind.
	Left []string `json:"left,omitempty" doc:"The steps whose effect was left behind."`
	// Step and Incident are those of the first stuck step.
	Step     string `json:"step,omitempty" doc:"The first stuck step."`
	Incident string `json:"incident,omitempty" doc:"The incident of the first stuck step."`
	// Below is the stuck run that Step, Incident and Cause are of, where it is one below this run.
	Below *domain.RunID `json:"below,omitempty" format:"uuid" doc:"The run below that is stuck, where below was asked for: step, incident and cause are its own."`
	// Position is that of the run's latest event: see [PositionHeader].
	Position domain.Position `json:"position,omitempty" doc:"The log position of the run's latest event: a list that is asked for with it as at_least shows the run so."`
}

// PositionHeader is the header in which answers to acts have the log position.
const PositionHeader = "Atone-Position"

// Run is a run in full, as of one revision.
type Run struct {
	explain.Run
	// Waiting says what an unfinished run waits for.
	Waiting string `json:"waiting,omitempty" doc:"What an unfinished run waits for, in a sentence with times in UTC; the text of why."`
	// Why is absent from a run as it was after an earlier revision.
	Why *explain.Reason `json:"why,omitempty" doc:"How the run stands, what it waits for, and what can be done, as a value."`
	// Undo is there where it was asked for.
	Undo *explain.Preview `json:"undo_preview,omitempty" doc:"What cancelling the run would do; only with undo=true."`
	// Again are the runs that were started from this one.
	Again []domain.RunID `json:"again,omitempty" doc:"The runs that were started from this one, after it had ended."`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T `json:"items" doc:"The rows of this page."`
	// Next is the cursor of the following page, empty on the last one.
	Next string `json:"next,omitempty" doc:"The cursor of the following page; absent on the last one."`
	// Position is the log position of the rows; 0 if they are old.
	Position domain.Position `json:"position" doc:"The log position that the rows stand for."`
	// Old says that the rows do not belong to the log.
	Old bool `json:"old,omitempty" doc:"The rows were made from another log, or from events that the log has lost: a rebuild is under way."`
}

// PageOf returns a page of rows with the view's state.
func PageOf[T any](items []T, next string, as *projections.Generation) Page[T] {
	p := Page[T]{Items: items, Next: next, Position: as.Position, Old: as.Old}
	if p.Old {
		p.Position = 0
	}
	return p
}

// Gone tells that a run is no longer in a list that is followed.
type Gone struct {
	Run domain.RunID `json:"run" format:"uuid" doc:"The run's id."`
}

// Event is a recorded event. Its payloads are redacted as the run's saga says.
type Event struct {
	Stream   string          `json:"stream"`
	Revision uint64          `json:"revision"`
	Position domain.Position `json:"position"`
	ID       uuid.UUID       `json:"id" format:"uuid"`
	Type     string          `json:"type" doc:"The event's wire name."`
	// At is when it was decided, Created when the log accepted it.
	At          time.Time       `json:"at,omitzero"`
	Created     time.Time       `json:"created"`
	Actor       string          `json:"actor,omitempty"`
	Correlation string          `json:"correlation,omitempty"`
	Causation   string          `json:"causation,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
	// Binary is set instead of Data for data that is not JSON; it is base64.
	Binary []byte `json:"binary,omitempty"`
	// Missing says why a listed event has no data.
	Missing string `json:"missing,omitempty" doc:"Why the event itself is not shown: it has been deleted from the log since it was listed, or can't be read now. Created is then when it was emitted."`
}

// MissingEvent is an event that could not be read.
func MissingEvent(e *events.Event) Event {
	return Event{Stream: e.Stream, Revision: e.Revision, Position: e.Position, ID: e.ID, Type: e.Type, At: e.At, Created: e.At,
		Correlation: e.Correlation, Missing: e.Why()}
}

// GivenReason is the body of operations with an optional reason only.
type GivenReason struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the audit."`
}

// RequiredReason is the body of operations that require a reason.
type RequiredReason struct {
	Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why, for the audit."`
}

// Retry asks for new attempts of a stuck step.
type Retry struct {
	Step   string `json:"step,omitempty" maxLength:"1000" doc:"The stuck step; all stuck steps when empty."`
	Reason string `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the audit."`
}

// Resolve settles a stuck step.
type Resolve struct {
	Step   string            `json:"step,omitempty" maxLength:"1000" doc:"The stuck step; all stuck steps when empty."`
	How    domain.Resolution `json:"how" enum:"skip,substitute" doc:"skip goes on as if the step had no effect (or, going backward, were undone); substitute as if it were done with the output."`
	Output json.RawMessage   `json:"output,omitempty" doc:"The output to substitute."`
	Reason string            `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the audit."`
}

// Signal is a signal to a run.
type Signal struct {
	Name    string          `json:"name" minLength:"1" maxLength:"250" doc:"The signal's name."`
	Payload json.RawMessage `json:"payload,omitempty" doc:"Any JSON value."`
	// ID makes the signal idempotent.
	ID string `json:"id,omitempty" maxLength:"250" doc:"Makes the signal idempotent: a second one with the id is nothing."`
	// Keep sends it though no await of the run's plan takes it.
	Keep bool `json:"keep,omitempty" doc:"Send it though no step that the run may still come to awaits it: it is kept for one that a later plan adds."`
}

// StartAgain says how an ended run is started again.
type StartAgain struct {
	Input   json.RawMessage   `json:"input,omitempty" doc:"The new run's input; that of the old one when absent."`
	Key     string            `json:"key,omitempty" maxLength:"500" doc:"The new run's key; made of the old run's when absent, so that a request that is made twice starts one run."`
	Version int               `json:"version,omitempty" minimum:"0" maximum:"1000000" doc:"The saga's version; the latest when absent."`
	Labels  map[string]string `json:"labels,omitempty" doc:"The new run's labels; those of the old one when absent."`
}

// HoldAction holds an action.
type HoldAction struct {
	Undos  bool   `json:"undos,omitempty" doc:"Hold its undos too."`
	Anyway bool   `json:"anyway,omitempty" doc:"Hold it though this server's program has no such action: another on the log may."`
	Reason string `json:"reason" minLength:"1" maxLength:"2000" doc:"Why; its runs show it."`
}

// HeldAction is an action that is held.
type HeldAction struct {
	explain.Hold
	// Waiting counts the runs that wait for its release with this server, the first 10,000
	// unfinished ones at the most.
	Waiting int `json:"waiting" doc:"The runs that wait for its release with this server."`
}

// BulkFilter selects unfinished runs; all conditions that are set must hold.
type BulkFilter struct {
	Q         string            `json:"q,omitempty" maxLength:"2000" doc:"A search for runs, as list-runs takes it. Runs that have ended are left out."`
	Runs      []string          `json:"runs,omitempty" maxItems:"1000" doc:"Only these runs, each by its id, the last 6 or more digits of it, or SAGA:KEY."`
	Sagas     []string          `json:"sagas,omitempty" maxItems:"100" doc:"Runs of one of these sagas."`
	Version   int               `json:"version,omitempty" minimum:"0" maximum:"1000000" doc:"Runs of that version."`
	States    []domain.RunState `json:"states,omitempty" maxItems:"7" doc:"Runs in one of these states."`
	Labels    map[string]string `json:"labels,omitempty" doc:"Runs that have all of these labels."`
	KeyPrefix string            `json:"key_prefix,omitempty" maxLength:"500" doc:"Runs whose key begins so."`
	OlderThan domain.Duration   `json:"older_than,omitzero" doc:"Runs that were started at least that long ago, such as 1h30m."`
	Action    string            `json:"action,omitempty" maxLength:"100" doc:"Runs that are stuck at a step of the action."`
}

// Bulk does one thing to many runs.
type Bulk struct {
	Act       saga.BulkAct    `json:"act" enum:"cancel,pause,resume,retry,skip,substitute,abandon" doc:"What to do to each run."`
	Filter    BulkFilter      `json:"filter" doc:"Which unfinished runs."`
	All       bool            `json:"all,omitempty" doc:"Must be set where the filter has no condition."`
	Reason    string          `json:"reason,omitempty" maxLength:"2000" doc:"Why, for the audit. Only a dry run needs none."`
	Output    json.RawMessage `json:"output,omitempty" doc:"The output to substitute."`
	DryRun    bool            `json:"dry_run,omitempty" doc:"Only tell which runs it would be done to, and what a cancel of them would undo."`
	After     string          `json:"after,omitempty" maxLength:"600" doc:"Leave out the runs up to this one, oldest first: an earlier call has dealt with them. Its id, the last 6 or more digits of it, or SAGA:KEY."`
	Limit     int             `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"At most that many runs in this call, oldest first; without it 1,000."`
	Rate      float64         `json:"rate,omitempty" minimum:"0" maximum:"1000000" doc:"At most that many runs in a second; no bound when 0."`
	StopAfter int             `json:"stop_after,omitempty" minimum:"0" maximum:"10000" doc:"End after so many failures: runs that refuse, or that are retried and soon stuck again; never when 0."`
}

// Emit is a domain event to be appended.
type Emit struct {
	Stream      string          `json:"stream" minLength:"1" maxLength:"250" doc:"The stream to append to; atone's own are refused."`
	Type        string          `json:"type" minLength:"1" maxLength:"250" doc:"The event's type; atone's own are refused."`
	Payload     json.RawMessage `json:"payload,omitempty" doc:"Any JSON value."`
	ID          string          `json:"id,omitempty" maxLength:"250" doc:"Makes the event idempotent in its stream; a UUID is taken as the event's id."`
	Correlation string          `json:"correlation,omitempty" maxLength:"250" doc:"The correlation id that awaits select the event by."`
}

// Saga describes a registered saga.
type Saga struct {
	saga.SagaInfo
	Mermaid string `json:"mermaid" doc:"The plan as a Mermaid flowchart."`
	// Explored is what is known of its exploration; nil where the server does not know.
	Explored *evidence.Standing `json:"explored,omitempty" doc:"What is known of its exploration; absent if the server keeps no evidence."`
}

// View is the state of a projected view.
type View struct {
	View      string          `json:"view"`
	Version   int             `json:"version"`
	Built     bool            `json:"built" doc:"Whether there are rows to ask."`
	Building  bool            `json:"building,omitempty" doc:"Whether a rebuild is under way."`
	Old       bool            `json:"old,omitempty" doc:"Whether the rows do not belong to the log: it was replaced, or has lost events. A rebuild is under way."`
	Leading   bool            `json:"leading" doc:"Whether this process projects the view."`
	Position  domain.Position `json:"position"`
	Events    int64           `json:"events" doc:"The events applied."`
	LagEvents int64           `json:"lag_events" doc:"The events that are not applied."`
	LagMore   bool            `json:"lag_more,omitempty" doc:"There are more than lag_events: one call counts at most 10,000, the next one goes on."`
	Lag       domain.Duration `json:"lag,omitzero" doc:"The age of the oldest event that is not applied."`
	Error     string          `json:"error,omitempty" doc:"Why the view stands still."`
}

// Why answers "why is it waiting?".
type Why = explain.Reason

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Scopes  []string  `json:"scopes"`
	Sagas   []string  `json:"sagas,omitempty" doc:"The sagas and single actions that it is good for; all when absent."`
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	// Revoked is zero while the token is good.
	Revoked time.Time `json:"revoked,omitzero"`
}

// NewToken asks for a token.
type NewToken struct {
	Name    string    `json:"name" pattern:"^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$" doc:"The actor in the audit."`
	Scopes  []string  `json:"scopes" minItems:"1" maxItems:"4" doc:"Of read, start, operate and admin."`
	Sagas   []string  `json:"sagas,omitempty" maxItems:"1000" doc:"The sagas and single actions that it is good for; all when absent."`
	Expires time.Time `json:"expires,omitzero" doc:"When it ends by itself; never when absent."`
}

// CreatedToken is a new token. The secret is shown only here and stored nowhere.
type CreatedToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret" doc:"Shown once: only its hash is kept."`
}

// Login opens a session for the web page.
type Login struct {
	Token string `json:"token" minLength:"1" maxLength:"200" doc:"An API token's secret."`
}

// Me says who the caller is.
type Me struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	Sagas  []string `json:"sagas,omitempty"`
	// Open means that the server asks for no token.
	Open bool `json:"open,omitempty"`
}

// Health is the answer of the health checks.
type Health struct {
	Status string   `json:"status" enum:"ok,unavailable"`
	Reason []string `json:"reasons,omitempty"`
}
