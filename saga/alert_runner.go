package saga

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// alertStream keeps how far in the log the alerts were told.
const alertStream = domain.SystemPrefix + "alerts"

const alertCheckpointType = "atone.alert_checkpoint.v1"

type alertCheckpoint struct {
	Position domain.Position `json:"position"`
	// Sink is the name of the sink that was told, see [Coordinator.startAlerts].
	Sink string `json:"sink"`
}

// startAlerts follows the log for each sink, from where it was last told: one that takes nothing does not keep
// alerts from the others. A sink is known by its type, and by its number where there are several of one type.
func (c *Coordinator) startAlerts() {
	named := make(map[string]int)
	for _, sink := range c.cfg.Alerts {
		name := fmt.Sprintf("%T", sink)
		if named[name]++; named[name] > 1 {
			name = fmt.Sprint(name, " ", named[name])
		}
		c.goBackground(func(ctx context.Context) { c.alert(ctx, sink, name) })
	}
}

// alert tells one sink until ctx ends.
func (c *Coordinator) alert(ctx context.Context, sink AlertSink, name string) {
	for delay := time.Second; ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		err := (&alertRunner{c: c, sink: sink, name: name, starts: make(map[domain.RunID]*domain.RunStarted)}).run(ctx)
		if ctx.Err() != nil {
			return
		}
		c.logger.Error("alerts interrupted, going on", "sink", name, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

// alertRunner turns events into alerts for one sink. Its position in the log is saved after they were
// told, so that each is told at least once.
type alertRunner struct {
	c    *Coordinator
	sink AlertSink
	name string
	// starts holds the runs that have not ended, to name their saga and find the slow ones.
	starts map[domain.RunID]*domain.RunStarted
	slow   []slowRun // in the order of their starts, which is not that of their times
	told   domain.Position
	// unsaved means that more was told than the log knows: saving it failed, and is tried again.
	unsaved bool
}

type slowRun struct {
	run     domain.RunID
	at      time.Time
	started domain.Position
}

func (r *alertRunner) run(ctx context.Context) error {
	from, err := r.load(ctx)
	if err != nil {
		return err
	}
	r.told = from
	events := make(chan domain.Delivery)
	failed := make(chan error, 1)
	sub, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() {
		for d, err := range r.c.log.Subscribe(sub, from, domain.Filter{Prefixes: []string{domain.RunPrefix, noticeStream}}) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- d:
			case <-sub.Done():
				return
			}
		}
		failed <- nil
	})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case d := <-events:
			if err := r.take(ctx, d); err != nil {
				return err
			}
		case <-tick.C:
			if err := r.tellSlow(ctx); err != nil {
				return err
			}
			if r.unsaved {
				r.save(ctx)
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *alertRunner) load(ctx context.Context) (domain.Position, error) {
	for e, err := range r.c.log.ReadStreamBackward(ctx, alertStream, domain.End) {
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", alertStream, err)
		}
		var p alertCheckpoint
		if err := json.Unmarshal(e.Data, &p); err != nil {
			return 0, fmt.Errorf("read %s: %w", alertStream, err)
		}
		if p.Sink == r.name {
			return p.Position, nil
		}
	}
	return 0, nil
}

// save remembers that everything up to r.told was told, save the runs that may yet turn out slow: a
// successor reads from the oldest of them. A log that refuses it is asked again with the next tick; what was told
// is not told again for that.
func (r *alertRunner) save(ctx context.Context) {
	p := r.told
	for _, s := range r.slow {
		if r.starts[s.run] != nil && s.started <= p {
			p = s.started - 1
		}
	}
	data, err := json.Marshal(alertCheckpoint{Position: p, Sink: r.name})
	if err == nil {
		_, err = r.c.log.Append(ctx, alertStream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: alertCheckpointType, Data: data})
	}
	r.unsaved = err != nil
	if err != nil && ctx.Err() == nil {
		r.c.logger.Warn("how far alerts were told is not saved, trying again: after a crash they would be told twice", "position", p, "error", err)
	}
}

// saveEvery bounds, in log positions, what is told again after a crash without alerts.
const saveEvery = 100_000

func (r *alertRunner) take(ctx context.Context, d domain.Delivery) error {
	if d.Event == nil {
		return nil
	}
	if d.Event.Type == noticeType {
		return r.notice(ctx, d)
	}
	run, ok := domain.RunOfStream(d.Event.Stream)
	if !ok {
		return nil
	}
	alert := Alert{Run: run}
	switch d.Event.Type {
	case "run.started.v1":
		return r.started(ctx, run, d.Event)
	case "run.stuck.v1", "run.turned_back.v1":
		f, err := domain.DecodeFact(d.Event)
		if err != nil {
			return err
		}
		alert.At = f.Meta.At
		switch e := f.Event.(type) {
		case *domain.RunStuck:
			alert.ID, alert.Kind, alert.Step, alert.Cause = e.Incident, AlertStuck, e.Step, &e.Cause
		case *domain.RunTurnedBack:
			alert.ID, alert.Kind, alert.Step, alert.Cause = run.String()+"/failed", AlertFailed, e.Cause.Step, &e.Cause
			if e.Cause.Kind == domain.FailureCancelled || e.Cause.Kind == domain.FailureParent {
				return nil // somebody wanted it
			}
		}
	case "run.completed.v1", "run.compensated.v1", "run.cancelled.v1", "run.abandoned.v1":
		delete(r.starts, run)
		if d.Position > r.told+saveEvery && len(r.starts) == 0 {
			r.told = d.Position
			r.save(ctx)
		}
		return nil
	default:
		return nil
	}
	if err := r.tell(ctx, alert); err != nil {
		return err
	}
	r.told = d.Position
	r.save(ctx)
	return nil
}

// notice tells what a node noticed.
func (r *alertRunner) notice(ctx context.Context, d domain.Delivery) error {
	alert, err := noticeOf(d.Event)
	if err != nil {
		r.c.logger.Error("an alert can't be read: it is passed over", "error", err)
		return nil
	}
	if err := r.tell(ctx, alert); err != nil {
		return err
	}
	r.told = d.Position
	r.save(ctx)
	return nil
}

func (r *alertRunner) started(ctx context.Context, run domain.RunID, e *domain.Recorded) error {
	f, err := domain.DecodeFact(e)
	if err != nil {
		return err
	}
	started, ok := f.Event.(*domain.RunStarted)
	if !ok {
		return nil
	}
	started.Input = nil
	r.starts[run] = started
	plan, err := r.c.planOf(ctx, started.Plan)
	if err == nil && plan.Slow > 0 {
		r.slow = append(r.slow, slowRun{run, f.Meta.At.Add(time.Duration(plan.Slow)), e.Position})
	}
	return nil
}

// tellSlow tells of the runs whose time has come and that have not ended.
func (r *alertRunner) tellSlow(ctx context.Context) error {
	now := r.c.clock.now()
	var rest, due []slowRun
	for _, s := range r.slow {
		switch {
		case r.starts[s.run] == nil:
		case now.Before(s.at):
			rest = append(rest, s)
		default:
			due = append(due, s)
		}
	}
	for _, s := range due {
		if err := r.tell(ctx, Alert{ID: s.run.String() + "/slow", Kind: AlertSlow, Run: s.run, At: s.at}); err != nil {
			return err
		}
	}
	r.slow = rest
	if len(due) > 0 {
		r.save(ctx)
	}
	return nil
}

// tell gives an alert to the sink, again and again until it has taken it.
func (r *alertRunner) tell(ctx context.Context, a Alert) error {
	if s := r.starts[a.Run]; a.Saga != "" || a.Run == (domain.RunID{}) {
		// it says itself what it is about
	} else if s != nil {
		a.Saga, a.Version = s.Saga, s.Version
	} else if v, err := r.c.Describe(ctx, a.Run); err == nil {
		a.Saga, a.Version = v.Saga, v.Version
	}
	for delay := time.Second; ; delay = min(2*delay, time.Minute) {
		err := r.sink.Alert(ctx, a)
		if err == nil {
			return nil
		}
		r.c.logger.Warn("alert not taken, trying again", "alert", a.ID, "sink", r.name, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
