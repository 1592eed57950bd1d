package stats

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

type key struct {
	saga, action string
	direction    domain.Direction
	unit, bucket int64
}

type state struct {
	Counts
	latency Histogram
	changed bool
}

// applier keeps the rows that it has touched in memory, except those of old buckets.
type applier struct {
	stats  map[key]*state
	newest int64 // the newest minute, in seconds since 1970
	pruned int64 // the newest minute at the last pruning
}

// Apply implements [projections.Applier].
func (a *applier) Apply(ctx context.Context, tx projections.Tx, events []projections.Event) error {
	if a.stats == nil {
		a.stats = make(map[key]*state)
		rows, err := tx.Select(ctx, projections.Query{Table: "stats", Where: []projections.Cond{projections.Eq("unit", unitMinute)}, Order: []string{"bucket"}, Desc: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			a.newest = rows[0].Int(columnBucket)
			a.pruned = a.newest
		}
	}
	for i := range events {
		if e := &events[i]; e.Of != nil {
			if err := a.count(ctx, tx, e); err != nil {
				return err
			}
		}
	}
	if err := tx.Put(ctx, "stats", a.changed()...); err != nil {
		return err
	}
	return a.prune(ctx, tx)
}

// count adds the event to what it is about.
func (a *applier) count(ctx context.Context, tx projections.Tx, e *projections.Event) error {
	c, latency, ofRun := counted(e)
	k := key{saga: e.Of.Saga}
	if !ofRun {
		k.action = e.Action
		k.direction = direction(e.Event)
	}
	return errors.Join(a.add(ctx, tx, e, k, c, latency), a.add(ctx, tx, e, key{saga: e.Of.Saga}, levels(e), -1))
}

// levels returns by how much the event changes the numbers of runs that are stuck and that wait.
func levels(e *projections.Event) (c Counts) {
	after := e.Meta.Wake
	if after.State == "" {
		return c
	}
	c.StuckMore = one(after.State == domain.RunIsStuck) - one(e.Before.State == domain.RunIsStuck)
	c.WaitingMore = one(waits(after)) - one(waits(e.Before))
	return c
}

// waits reports whether nothing of the run is under way, nor needs a person.
func waits(w domain.Wake) bool {
	return (w.State == domain.RunRunning || w.State == domain.RunCompensating) && !w.Busy
}

func one(holds bool) int64 {
	if holds {
		return 1
	}
	return 0
}

// add adds counts, and a latency unless it is negative, to the buckets of the event's time.
func (a *applier) add(ctx context.Context, tx projections.Tx, e *projections.Event, k key, c Counts, latency time.Duration) error {
	if c == (Counts{}) {
		return nil
	}
	at := e.When().Unix()
	a.newest = max(a.newest, at-at%unitMinute)
	for _, unit := range [...]int64{unitAll, unitHour, unitMinute} {
		k.unit, k.bucket = unit, 0
		if unit > 0 {
			k.bucket = at - at%unit
		}
		if a.old(k) {
			continue
		}
		s, err := a.at(ctx, tx, k)
		if err != nil {
			return err
		}
		s.Add(c)
		if latency >= 0 {
			s.latency.Add(latency)
		}
		s.changed = true
	}
	return nil
}

// counted returns an event's counts, the latency that it ends (or -1), and whether it is about the
// run as a whole.
func counted(e *projections.Event) (c Counts, latency time.Duration, ofRun bool) {
	latency = -1
	if e.Again {
		return Counts{}, latency, true // the run was already counted at its first end
	}
	switch d := e.Event.(type) {
	case *domain.AttemptStarted:
		c.Started = 1
		if d.Attempt > 1 {
			c.Retried = 1
		}
	case *domain.AttemptSucceeded:
		c.Succeeded, latency = 1, e.Took()
	case *domain.AttemptFailed:
		c.Failed, latency = 1, e.Took()
		switch d.Cause.Kind {
		case domain.FailureTimedOut:
			c.TimedOut = 1
		case domain.FailureLost:
			c.Lost = 1
		}
	case *domain.StepProbed:
		c.Succeeded, latency = 1, e.Took()
	case *domain.RunStuck:
		return Counts{Stuck: 1}, -1, e.Action == ""
	case *domain.RunStarted:
		return Counts{Started: 1}, -1, true
	case *domain.RunCompleted:
		return Counts{Succeeded: 1}, e.When().Sub(e.Of.At), true
	case *domain.RunCompensated:
		return Counts{Failed: 1}, e.When().Sub(e.Of.At), true
	case *domain.RunCancelled:
		return Counts{Cancelled: 1}, e.When().Sub(e.Of.At), true
	case *domain.RunAbandoned:
		return Counts{Abandoned: 1}, e.When().Sub(e.Of.At), true
	}
	return c, latency, false
}

func direction(e domain.Event) domain.Direction {
	switch d := e.(type) {
	case *domain.AttemptStarted:
		return d.Direction
	case *domain.AttemptSucceeded:
		return d.Direction
	case *domain.AttemptFailed:
		return d.Direction
	case *domain.StepProbed:
		return domain.Probe
	case *domain.RunStuck:
		return d.Direction
	}
	return ""
}

// old reports whether the bucket's time to be kept has passed.
func (a *applier) old(k key) bool {
	switch k.unit {
	case unitMinute:
		return k.bucket < a.newest-keptMinutes
	case unitHour:
		return k.bucket < a.newest-keptHours
	}
	return false
}

// at returns the row of the key: from memory, from the table, or a new one.
func (a *applier) at(ctx context.Context, tx projections.Tx, k key) (*state, error) {
	if s := a.stats[k]; s != nil {
		return s, nil
	}
	rows, err := tx.Select(ctx, projections.Query{Table: "stats", Where: []projections.Cond{projections.Eq("saga", k.saga), projections.Eq("action", k.action), projections.Eq("direction", string(k.direction)),
		projections.Eq("unit", k.unit), projections.Eq("bucket", k.bucket)}})
	if err != nil {
		return nil, err
	}
	s := &state{}
	if len(rows) > 0 {
		if s, err = decodeState(rows[0]); err != nil {
			return nil, err
		}
	}
	a.stats[k] = s
	return s, nil
}

// changed returns the rows to put, in no order.
func (a *applier) changed() []projections.Row {
	var rows []projections.Row
	for k, s := range a.stats {
		if s.changed {
			s.changed = false
			rows = append(rows, s.encode(k))
		}
	}
	return rows
}

// prune drops old buckets from the table and from memory.
func (a *applier) prune(ctx context.Context, tx projections.Tx) error {
	if a.newest == a.pruned {
		return nil
	}
	a.pruned = a.newest
	maps.DeleteFunc(a.stats, func(k key, _ *state) bool {
		return a.old(k) || k.unit == unitHour && k.bucket < a.newest-2*unitHour || k.unit == unitMinute && k.bucket < a.newest-5*unitMinute
	})
	if err := tx.DeleteWhere(ctx, "stats", projections.Eq("unit", unitMinute), projections.Lt("bucket", a.newest-keptMinutes)); err != nil {
		return err
	}
	return tx.DeleteWhere(ctx, "stats", projections.Eq("unit", unitHour), projections.Lt("bucket", a.newest-keptHours))
}
