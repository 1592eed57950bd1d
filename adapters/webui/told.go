package webui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/look"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/outlook"
)

// runParam reads which run the path names: by its id, SAGA:KEY, or the end of its id.
func (h *handler) runParam(r *http.Request, who Person) (domain.RunID, error) {
	// up: the names that a search knows
	if err := h.names(r.Context(), who).CheckRun(r.PathValue("run")); err != nil {
		return domain.RunID{}, fmt.Errorf("%w: %w", saga.ErrUnknownSaga, err)
	}
	id, err := runs.Named(r.Context(), r.PathValue("run"), who.Sagas, h.cfg.Views.Runs)
	if errors.Is(err, runs.ErrNoName) {
		return id, errNoPage
	}
	return id, err
}

// told is a run read from its stream: one consistent moment for everything that a page shows of it.
type told struct {
	id    domain.RunID
	plan  *domain.Plan
	facts []domain.Fact
	state *machine.State
	// look is the state as it may be shown, around what is known around the run.
	look   *look.Look
	around look.Around
}

// tell reads a run. A run of a saga that the person may not see is not found.
func (h *handler) tell(ctx context.Context, who Person, id domain.RunID) (*told, error) {
	return h.tellUntil(ctx, who, id, domain.End)
}

// tellUntil reads a run as it was after an event.
func (h *handler) tellUntil(ctx context.Context, who Person, id domain.RunID, until uint64) (*told, error) {
	facts, plan, err := look.Facts(ctx, h.cfg.Log, h.cfg.Coordinator, id, until, who.sees)
	if err != nil {
		return nil, err
	}
	t := &told{id: id, plan: plan, facts: facts}
	t.state = t.fold()
	if until == domain.End { // a look back leaves out what is around the run today
		t.around = h.cfg.Coordinator
	}
	t.look = look.At(t.state, t.around)
	t.look.Sees = who.sees
	return t, nil
}

// fold returns a new state, which the caller may change.
func (t *told) fold() *machine.State {
	s := machine.New(t.plan, t.id)
	for i := range t.facts {
		s = machine.Evolve(s, t.facts[i])
	}
	return s
}

// undo tells what a cancel would do.
func (t *told) undo(now time.Time) explain.Preview { return look.At(t.fold(), nil).Undo(now) }

// outlook tells what can still become of the run.
func (t *told) outlook(ctx context.Context, now time.Time) outlook.Outlook {
	return look.At(t.fold(), t.around).Outlook(ctx, now)
}

// ending says how the run ended.
func (t *told) ending(lasted time.Duration) string {
	text := string(t.look.Run.State) + " after " + format.Took(lasted)
	for i := range t.facts {
		if a, ok := t.facts[i].Event.(*domain.RunAbandoned); ok {
			text += " by " + t.facts[i].Meta.Actor + ": " + a.Reason
		}
	}
	if t.look.Run.Cause != nil {
		text += ", because " + t.look.Run.Cause.String()
	}
	if len(t.look.Run.Left) > 0 {
		text += "; effects left at " + strings.Join(t.look.Run.Left, ", ")
	}
	return text
}

// moment is when the last event happened that the run was read up to.
func (t *told) moment() time.Time { return t.facts[len(t.facts)-1].Meta.At }

// wait is a wait with its sentence, whose instants are marked.
type wait struct {
	explain.Wait
	Say string
}

// waitsOf lists the waits, the most telling first.
func waitsOf(why *explain.Reason, now time.Time) []wait {
	out := make([]wait, len(why.Waits))
	for i := range why.Waits {
		out[i] = wait{Wait: why.Waits[i], Say: why.Waits[i].Tell(now, format.Mark)}
	}
	return out
}

// link is a run in the chain down to the true blocker, with its sentence.
type link struct {
	explain.Link
	Say string
}

// chainOf lists the runs below, the nearest first.
func chainOf(why *explain.Reason, now time.Time) []link {
	out := make([]link, len(why.Chain))
	for i := range why.Chain {
		out[i] = link{Link: why.Chain[i], Say: why.Chain[i].Tell(now, format.Mark)}
	}
	return out
}
