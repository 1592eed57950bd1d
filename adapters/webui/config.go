package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/desk"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/rejected"
)

// What the page asks of a coordinator.
type (
	// HoldRequest asks for a hold of an action.
	HoldRequest = saga.HoldRequest
	// Again says how an ended run is started again.
	Again = saga.Again
)

// Coordinator is the part of a [saga.Coordinator] that the page uses.
type Coordinator interface {
	Plan(ctx context.Context, hash string) (*domain.Plan, error)
	Sagas() []saga.SagaInfo
	Actions() []saga.ActionInfo
	SecretFields(eventType string) []string
	RunStates() map[domain.RunState]int
	Desk() *desk.Desk
	look.Around

	StartByName(ctx context.Context, name string, version int, input json.RawMessage, opts ...saga.StartOption) (domain.RunID, error)
	InvokeByName(ctx context.Context, action string, input json.RawMessage, opts ...saga.StartOption) (domain.RunID, error)
	Cancel(ctx context.Context, id domain.RunID, reason string) error
	Pause(ctx context.Context, id domain.RunID, reason string) error
	Resume(ctx context.Context, id domain.RunID, reason string) error
	Retry(ctx context.Context, id domain.RunID, step, reason string) error
	Skip(ctx context.Context, id domain.RunID, step, reason string) error
	Substitute(ctx context.Context, id domain.RunID, step string, output json.RawMessage, reason string) error
	Abandon(ctx context.Context, id domain.RunID, reason string) error
	StartAgain(ctx context.Context, id domain.RunID, how Again) (domain.RunID, error)
	StartedFrom(ctx context.Context, id domain.RunID) ([]domain.RunID, error)
	Hold(ctx context.Context, req HoldRequest) (explain.Hold, error)
	Release(ctx context.Context, action, reason string) (explain.Hold, error)
	Holds() []explain.Hold
	Rejected() *rejected.Book
	Bulk(ctx context.Context, req saga.BulkRequest) (saga.BulkReport, error)
	Wait(ctx context.Context, id domain.RunID, opts ...look.WaitOption) (json.RawMessage, error)
	Signal(ctx context.Context, id domain.RunID, name string, payload any, opts ...saga.SignalOption) error
}

// Views answers queries across runs; a [views.Reader] does.
type Views interface {
	Runs(ctx context.Context, f runs.Filter) (runs.Page, error)
	RunCounts(ctx context.Context, f runs.Filter) (map[domain.RunState]int, error)
	RunNames(ctx context.Context, of runs.Of, prefix string) ([]string, error)
	Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error)
	IncidentGroups(ctx context.Context, f incidents.GroupFilter) (incidents.GroupPage, error)
	IncidentHistory(ctx context.Context, no domain.Position, fresh projections.Fresh) ([]incidents.Entry, error)
	Audit(ctx context.Context, f audit.Filter) (audit.Page, error)
	Events(ctx context.Context, f events.Filter) (events.Page, error)
	Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error)
	StatsOver(ctx context.Context, f stats.Filter) ([]stats.Point, error)
}

// Log is the part of the event log that the page reads; every [domain.Log] implements it.
type Log interface {
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	ReadStreamBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
}

// Config configures the page. Coordinator, Views and Log are required.
type Config struct {
	Coordinator Coordinator
	Views       Views
	Log         Log
	// Projections, if set, lets lists say when they are behind the log.
	Projections Projections
	// Evidence, if set, is what explorations of the sagas found.
	Evidence *evidence.Evidence
	// Sessions identifies who makes a request. Nil means that everybody is "local" and may do
	// everything: serve such a page on loopback only.
	Sessions Sessions
	// Base is the path below which everything is served; empty means "/ui". It must begin with a
	// slash and not end with one. The path / redirects to it.
	Base string
	// Refresh is how often a visible page reloads its data; 0 means 2 s.
	Refresh time.Duration
	// PageSize is the number of rows on a page of a list; 0 means 50, at most 1000.
	PageSize int
	// Program is how the program's command line is called, in the commands that the page gives to
	// copy; empty means "atone".
	Program string
	// Version is shown at the foot of each page; may be empty.
	Version string
	// Logger receives failures; nil means slog.Default.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now. Times in sentences are in its location.
	Now func() time.Time
}

func (c *Config) setDefaults() {
	if c.Sessions == nil {
		c.Sessions = open{}
	}
	if c.Base == "" {
		c.Base = "/ui"
	}
	if c.Refresh == 0 {
		c.Refresh = 2 * time.Second
	}
	if c.PageSize == 0 {
		c.PageSize = 50
	}
	if c.Program == "" {
		c.Program = "atone"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Validate reports everything that is wrong with the configuration at once.
func (c *Config) Validate() error {
	var errs []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			errs = append(errs, fmt.Errorf("webui: "+format, args...))
		}
	}
	bad(c.Coordinator == nil, "Coordinator is missing: make one with saga.New")
	bad(c.Views == nil, "Views is missing: give a projections.Reader")
	bad(c.Log == nil, "Log is missing: give the log that the coordinator runs on")
	bad(!strings.HasPrefix(c.Base, "/") || strings.HasSuffix(c.Base, "/"), "Base is %q: begin it with a slash and end it without one", c.Base)
	bad(c.Refresh < 0, "Refresh can't be negative")
	bad(c.PageSize < 0 || c.PageSize > 1000, "PageSize is %d: use 1 to 1000", c.PageSize)
	return errors.Join(errs...)
}
