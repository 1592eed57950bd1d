package incidents

import (
	"context"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
	"github.com/atonehq/atone/projections"
)

// applier keeps in memory the incidents that are not resolved, and their groups.
type applier struct {
	live map[domain.RunID][]*Row
	next int64 // the number of the next row
	counts
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	if a.live == nil {
		if err := a.load(ctx, tx); err != nil {
			return err
		}
	}
	changed := make(map[int64]*Row)
	for i := range events {
		e := &events[i]
		if d, ok := e.Event.(*domain.RunStuck); ok && e.Of != nil {
			if err := a.stuck(ctx, tx, e, d, changed); err != nil {
				return err
			}
			continue
		}
		if len(a.live[e.Run]) > 0 {
			a.tell(e, changed)
		}
	}
	rows := make([]projections.Row, 0, len(changed))
	for _, r := range changed {
		row, err := r.encode()
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(x, y projections.Row) int { return int(x.Int(columnN) - y.Int(columnN)) })
	if err := tx.Put(ctx, "incidents", rows...); err != nil {
		return err
	}
	return a.save(ctx, tx)
}

// load reads what is kept in memory.
func (a *applier) load(ctx context.Context, tx projections.Tx) (err error) {
	if a.next, err = projections.NextNumber(ctx, tx, "incidents", "n"); err != nil {
		return err
	}
	rows, err := tx.Select(ctx, projections.Query{Table: "incidents", Where: []projections.Cond{projections.InTexts("state", []State{Open, Retrying})}, Order: []string{"n"}})
	if err != nil {
		return err
	}
	live := make(map[domain.RunID][]*Row)
	for _, row := range rows {
		r, err := decode(row)
		if err != nil {
			return err
		}
		live[r.Run] = append(live[r.Run], &r)
	}
	if err := a.counts.load(ctx, tx); err != nil {
		return err
	}
	a.live = live
	return nil
}

// stuck opens an incident, or opens the one again that was being retried. Older programs gave that
// a new id.
func (a *applier) stuck(ctx context.Context, tx projections.Tx, e *projections.Event, d *domain.RunStuck, changed map[int64]*Row) error {
	what := Again
	var r *Row
	for _, live := range a.live[e.Run] {
		if live.Step == d.Step && live.Direction == d.Direction {
			r = live
		}
	}
	if r == nil {
		what = Opened
		r = &Row{No: e.Position, Run: e.Run, Saga: e.Of.Saga, Step: d.Step, Direction: d.Direction, Action: e.Action,
			Key: e.Of.Key, Labels: e.Of.Labels, Parent: e.Of.Parent, State: Resolved, Opened: e.When(), n: a.next}
		a.next++
		a.live[e.Run] = append(a.live[e.Run], r)
	}
	a.count(r, -1)
	r.ID, r.State, r.Attempts, r.Kind, r.Cause = d.Incident, Open, e.Number, d.Cause.Kind, d.Cause.Message
	r.Last, r.Times = e.When(), r.Times+1
	r.By, r.How, r.Reason, r.Snoozed = "", "", "", time.Time{}
	g := cause.GroupOf(r.Saga, r.Step, r.Direction, &d.Cause)
	r.Group = g.ID()
	if err := a.arrive(ctx, tx, &g, r); err != nil {
		return err
	}
	a.count(r, +1)
	a.remember(r, e, Entry{What: what, Text: d.Cause.Message})
	changed[r.n] = r
	return nil
}

// tell applies an event to the run's incidents that are not resolved.
func (a *applier) tell(e *projections.Event, changed map[int64]*Row) {
	for _, r := range a.live[e.Run] {
		before := *r
		entry, ok := r.told(e)
		if !ok {
			continue
		}
		a.count(&before, -1)
		a.count(r, +1)
		a.remember(r, e, entry)
		if changed[r.n] = r; entry.What == Noted {
			a.note(r)
		}
	}
	a.live[e.Run] = slices.DeleteFunc(a.live[e.Run], func(r *Row) bool { return !r.live() })
	if len(a.live[e.Run]) == 0 {
		delete(a.live, e.Run)
	}
}

// told applies an event of the run to the incident. It returns what its history says of that, and
// false if the event changes nothing.
func (r *Row) told(e *projections.Event) (Entry, bool) {
	switch d := e.Event.(type) {
	case *domain.StepRetried:
		if r.State == Open && d.Step == r.Step && d.Direction == r.Direction {
			r.State, r.By, r.How, r.Reason, r.Snoozed = Retrying, e.Meta.Actor, Retried, d.Reason, time.Time{}
			return Entry{What: Retried, Text: d.Reason}, true
		}
	case *domain.RunNoted:
		if slices.Contains(d.Incidents, r.ID) {
			r.Notes++
			r.Note = &Note{Text: domain.CutText(d.Note, shownNote), By: e.Meta.Actor, At: e.When()}
			return Entry{What: Noted, Text: d.Note}, true
		}
	case *domain.RunAssigned:
		if slices.Contains(d.Incidents, r.ID) {
			r.Assignee = d.To
			return Entry{What: Assigned, To: d.To, Text: d.Reason}, true
		}
	case *domain.RunSnoozed:
		if slices.Contains(d.Incidents, r.ID) {
			r.Snoozed = d.Until
			return Entry{What: Snoozed, Until: d.Until, Text: d.Reason}, true
		}
	}
	end := ends
	by := e.Meta.Actor
	if r.State == Retrying {
		end, by = mends, r.By
	}
	how, reason := end(e, r)
	if how == "" {
		return Entry{}, false
	}
	if how != Retried {
		by = e.Meta.Actor
	}
	r.State, r.Resolved, r.By, r.How, r.Reason, r.Snoozed = Resolved, e.When(), by, how, reason, time.Time{}
	return Entry{What: string(Resolved), How: how, Text: reason}, true
}

// shownNote bounds the beginning of a note that an incident shows, in bytes. Its history has the
// whole note.
const shownNote = 300
