package projections

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/atonehq/atone/domain"
)

// Stats returns the view of counts and latencies for each saga and action: in all, by the hour
// (kept for 35 days) and by the minute (kept for 2 hours). Ask it with [Reader.Stats].
//
// What is old is old by the events' own times, so that a rebuild keeps the same rows.
func Stats() View {
	return View{
		Name: "stats", Version: 1,
		Tables: []Table{{
			Name: "stats",
			Columns: []Column{
				{Name: "saga", Type: Text, Fixed: true},
				{Name: "action", Type: Text, Fixed: true},    // "" for the runs of the saga
				{Name: "direction", Type: Text, Fixed: true}, // "" for the runs of the saga
				{Name: "unit", Type: Int, Fixed: true},       // the bucket's width in seconds; 0 for all time
				{Name: "bucket", Type: Int, Fixed: true},     // its beginning, in seconds since 1970
				{Name: "started", Type: Int},
				{Name: "succeeded", Type: Int},
				{Name: "failed", Type: Int},
				{Name: "retried", Type: Int},
				{Name: "timed_out", Type: Int},
				{Name: "lost", Type: Int},
				{Name: "cancelled", Type: Int},
				{Name: "abandoned", Type: Int},
				{Name: "stuck", Type: Int},
				{Name: "latencies", Type: Int},
				{Name: "latency_sum", Type: Int},
				{Name: "latency_max", Type: Int},
				{Name: "histogram", Type: Text},
			},
			Key:     []string{"saga", "action", "direction", "unit", "bucket"},
			Indexes: [][]string{{"unit", "bucket"}},
		}},
		New: func() Applier { return &statsApplier{} },
	}
}

// The widths of buckets, in seconds, and for how long they are kept.
const (
	unitAll    = 0
	unitMinute = 60
	unitHour   = 3600

	keptMinutes = 2 * 3600
	keptHours   = 35 * 24 * 3600
)

// Counts is what is counted of an action in a direction, or of a saga's runs.
type Counts struct {
	// Started counts attempts, or runs.
	Started int64 `json:"started"`
	// Succeeded counts attempts that succeeded, or runs that completed.
	Succeeded int64 `json:"succeeded"`
	// Failed counts attempts that failed, timed out or were lost, or runs that were compensated.
	Failed int64 `json:"failed"`
	// Retried counts attempts that were not the first.
	Retried int64 `json:"retried"`
	// TimedOut and Lost are among Failed.
	TimedOut int64 `json:"timed_out"`
	Lost     int64 `json:"lost"`
	// Cancelled and Abandoned count runs; Stuck counts incidents.
	Cancelled int64 `json:"cancelled"`
	Abandoned int64 `json:"abandoned"`
	Stuck     int64 `json:"stuck"`
}

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Started += o.Started
	c.Succeeded += o.Succeeded
	c.Failed += o.Failed
	c.Retried += o.Retried
	c.TimedOut += o.TimedOut
	c.Lost += o.Lost
	c.Cancelled += o.Cancelled
	c.Abandoned += o.Abandoned
	c.Stuck += o.Stuck
}

type statKey struct {
	saga, action string
	direction    domain.Direction
	unit, bucket int64
}

type stat struct {
	Counts
	latency Histogram
	changed bool
}

// statsApplier keeps the rows that it has touched in memory, those of old buckets excepted.
type statsApplier struct {
	stats  map[statKey]*stat
	newest int64 // the newest minute, in seconds since 1970
	pruned int64 // the newest minute at the last pruning
}

// Apply implements [Applier].
func (a *statsApplier) Apply(ctx context.Context, tx Tx, events []Event) error {
	if a.stats == nil {
		a.stats = make(map[statKey]*stat)
		rows, err := tx.Select(ctx, Query{Table: "stats", Where: []Cond{Eq("unit", unitMinute)}, Order: []string{"bucket"}, Desc: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			a.newest = number(rows[0][4])
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

// count adds what the event tells to the buckets that its time falls into.
func (a *statsApplier) count(ctx context.Context, tx Tx, e *Event) error {
	c, latency, ofRun := counted(e)
	if c == (Counts{}) {
		return nil
	}
	k := statKey{saga: e.Of.Saga}
	if !ofRun {
		k.action = e.Action
		k.direction = direction(e.Event)
	}
	at := e.at().Unix()
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

// counted says what an event counts for, the latency that it ends (or -1), and whether it is about the run.
func counted(e *Event) (c Counts, latency time.Duration, ofRun bool) {
	latency = -1
	if e.Again {
		return Counts{}, latency, true // it is counted as it ended first
	}
	switch d := e.Event.(type) {
	case *domain.AttemptStarted:
		c.Started = 1
		if d.Attempt > 1 {
			c.Retried = 1
		}
	case *domain.AttemptSucceeded:
		c.Succeeded, latency = 1, e.latency()
	case *domain.AttemptFailed:
		c.Failed, latency = 1, e.latency()
		switch d.Cause.Kind {
		case domain.FailureTimedOut:
			c.TimedOut = 1
		case domain.FailureLost:
			c.Lost = 1
		}
	case *domain.StepProbed:
		c.Succeeded, latency = 1, e.latency()
	case *domain.RunStuck:
		return Counts{Stuck: 1}, -1, e.Action == ""
	case *domain.RunStarted:
		return Counts{Started: 1}, -1, true
	case *domain.RunCompleted:
		return Counts{Succeeded: 1}, e.at().Sub(e.Of.At), true
	case *domain.RunCompensated:
		return Counts{Failed: 1}, e.at().Sub(e.Of.At), true
	case *domain.RunCancelled:
		return Counts{Cancelled: 1}, e.at().Sub(e.Of.At), true
	case *domain.RunAbandoned:
		return Counts{Abandoned: 1}, e.at().Sub(e.Of.At), true
	}
	return c, latency, false
}

// latency is how long the attempt took, or -1 where its start is not known.
func (e *Event) latency() time.Duration {
	if e.Begun.IsZero() {
		return -1
	}
	return max(0, e.at().Sub(e.Begun))
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

// old reports whether the bucket is past keeping.
func (a *statsApplier) old(k statKey) bool {
	switch k.unit {
	case unitMinute:
		return k.bucket < a.newest-keptMinutes
	case unitHour:
		return k.bucket < a.newest-keptHours
	}
	return false
}

// at returns the row of the key: from memory, from the table, or a new one.
func (a *statsApplier) at(ctx context.Context, tx Tx, k statKey) (*stat, error) {
	if s := a.stats[k]; s != nil {
		return s, nil
	}
	rows, err := tx.Select(ctx, Query{Table: "stats", Where: []Cond{Eq("saga", k.saga), Eq("action", k.action), Eq("direction", string(k.direction)),
		Eq("unit", k.unit), Eq("bucket", k.bucket)}})
	if err != nil {
		return nil, err
	}
	s := &stat{}
	if len(rows) > 0 {
		if s, err = statOf(rows[0]); err != nil {
			return nil, err
		}
	}
	a.stats[k] = s
	return s, nil
}

// changed returns the rows to put, in no order.
func (a *statsApplier) changed() []Row {
	var rows []Row
	for k, s := range a.stats {
		if s.changed {
			s.changed = false
			rows = append(rows, s.row(k))
		}
	}
	return rows
}

// prune drops buckets that are past keeping, from the table and from memory.
func (a *statsApplier) prune(ctx context.Context, tx Tx) error {
	if a.newest == a.pruned {
		return nil
	}
	a.pruned = a.newest
	maps.DeleteFunc(a.stats, func(k statKey, _ *stat) bool {
		return a.old(k) || k.unit == unitHour && k.bucket < a.newest-2*unitHour || k.unit == unitMinute && k.bucket < a.newest-5*unitMinute
	})
	if err := tx.DeleteWhere(ctx, "stats", Eq("unit", unitMinute), Lt("bucket", a.newest-keptMinutes)); err != nil {
		return err
	}
	return tx.DeleteWhere(ctx, "stats", Eq("unit", unitHour), Lt("bucket", a.newest-keptHours))
}

func (s *stat) row(k statKey) Row {
	return Row{k.saga, k.action, string(k.direction), k.unit, k.bucket, s.Started, s.Succeeded, s.Failed, s.Retried, s.TimedOut, s.Lost,
		s.Cancelled, s.Abandoned, s.Stuck, s.latency.Count, int64(s.latency.Sum), int64(s.latency.Max), s.latency.encode()}
}

func statOf(r Row) (*stat, error) {
	h, err := decodeHistogram(text(r[17]), number(r[14]), number(r[15]), number(r[16]))
	if err != nil {
		return nil, fmt.Errorf("read a histogram of the stats view: %w", err)
	}
	return &stat{latency: h, Counts: Counts{Started: number(r[5]), Succeeded: number(r[6]), Failed: number(r[7]), Retried: number(r[8]),
		TimedOut: number(r[9]), Lost: number(r[10]), Cancelled: number(r[11]), Abandoned: number(r[12]), Stuck: number(r[13])}}, nil
}
