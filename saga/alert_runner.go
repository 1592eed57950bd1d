package saga

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

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

// alert tells one sink until ctx ends: of the nodes that share a log, one at a time does.
func (c *Coordinator) alert(ctx context.Context, sink AlertSink, name string) {
	r := &alertRunner{c: c, sink: &tellable{c: c, sink: sink, name: name}, marks: &alertMarks{c: c, sink: name}}
	for delay := time.Second; ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		err := r.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errAlertsElsewhere) {
			delay = time.Second / 2
			continue
		}
		c.logger.Error("alerts interrupted, going on", "sink", name, "in", delay, "error", err)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
}

// alertRunner turns events into alerts for one sink. How far it came is saved after each alert, so that each is told at
// least once, and none again unless this node dies in between.
type alertRunner struct {
	c     *Coordinator
	sink  *tellable
	marks *alertMarks

	// told is up to where everything was told, position up to where the log was read.
	told, position domain.Position
	// slowTo is up to which time runs were told to be slow, of those that were started up to told.
	slowTo time.Time
	slow   map[domain.RunID]slowRun // the runs that have not ended and may yet be slow
	// events counts what came since a mark was saved, sinceWhole since one with all of slow was.
	events, sinceWhole int
	unsaved            bool // saving failed, and is tried again
	caughtUp           bool // everything that was in the log is read
	warned             bool // an unreadable event was complained about
}

type slowRun struct {
	Run     domain.RunID `json:"run"`
	Saga    string       `json:"saga"`
	Version int          `json:"version"`
	At      time.Time    `json:"at"`
	// due is At by the clock that is never set: slow is a duration.
	due time.Time
}

// run tells alerts from where the last mark stands, until ctx ends, another node tells them ([errAlertsElsewhere]), or
// something fails.
func (r *alertRunner) run(ctx context.Context) error {
	if err := r.marks.claim(ctx); err != nil {
		return err
	}
	for from, err := range r.marks.starts(ctx) {
		if err != nil {
			return err
		}
		r.begin(from)
		err := r.follow(ctx)
		if ctx.Err() != nil {
			r.leave(context.WithoutCancel(ctx))
		}
		if !errors.Is(err, domain.ErrBadPosition) || r.position > from.position {
			return err
		}
		r.c.logger.Warn("a saved position of alerts is not used, reading from an older one", "sink", r.sink.name, "position", from.position, "error", err)
	}
	return errors.New("no saved position of alerts can be used")
}

// begin takes over what a start says.
func (r *alertRunner) begin(from alertStart) {
	r.position, r.told, r.slowTo = from.position, from.told, from.slowTo
	r.slow = make(map[domain.RunID]slowRun, len(from.slow))
	for _, s := range from.slow {
		r.expect(s, from.position)
	}
	r.events, r.sinceWhole, r.unsaved, r.caughtUp = 0, 0, false, false
}

func (r *alertRunner) follow(ctx context.Context) error {
	events := make(chan domain.Delivery)
	failed := make(chan error, 1)
	sub, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() {
		for d, err := range r.c.log.Subscribe(sub, r.position, domain.Filter{Prefixes: []string{domain.RunPrefix, noticeStream}}) {
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
			if r.unsaved || r.events >= saveEvery {
				if err := r.save(ctx); err != nil {
					return err
				}
			}
		case err := <-failed:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// saveEvery is after how many events without an alert the position is saved.
const saveEvery = 10_000

// save remembers that everything up to here was told. A log that does not take it is asked again with the next tick;
// what was told is not told again for that. The error is that another node tells alerts now.
func (r *alertRunner) save(ctx context.Context) error {
	r.told = max(r.told, r.position)
	whole := len(r.slow) <= fewSlow || r.sinceWhole >= max(saveEvery, len(r.slow))
	m := alertMark{Position: r.told, SlowTo: r.slowTo, Whole: whole}
	if whole {
		m.Slow = r.pending()
	}
	err := r.marks.save(ctx, m)
	r.unsaved = err != nil
	if errors.Is(err, errAlertsElsewhere) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		r.c.logger.Warn("how far alerts were told is not saved, trying again: after a crash they would be told twice", "position", r.told, "error", err)
	}
	if err == nil {
		if r.events = 0; whole {
			r.sinceWhole = 0
		}
	}
	return nil
}

// fewSlow is how many runs that may yet be slow go into every mark.
const fewSlow = 50

// pending returns the runs that may yet be slow, the earliest time first.
func (r *alertRunner) pending() []slowRun {
	list := make([]slowRun, 0, len(r.slow))
	for _, s := range r.slow {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b slowRun) int { return a.At.Compare(b.At) })
	return list
}

// leave saves how far this node came when it stops, and lets another one tell at once.
func (r *alertRunner) leave(ctx context.Context) {
	if r.c.logFailed() || !r.c.cfg.Shared && r.events == 0 && !r.unsaved {
		return
	}
	ctx, stop := context.WithTimeout(ctx, stopPatience)
	defer stop()
	r.told = max(r.told, r.position)
	m := alertMark{Position: r.told, SlowTo: r.slowTo, Whole: true, Slow: r.pending(), Left: true}
	if err := r.marks.save(ctx, m); err != nil && !errors.Is(err, errAlertsElsewhere) {
		r.c.logger.Warn("how far alerts were told is not saved: some may be told twice", "position", r.told, "error", err)
	}
}

// take handles a delivery. What it is about counts as told when the alert was taken.
func (r *alertRunner) take(ctx context.Context, d domain.Delivery) error {
	if d.Event != nil {
		r.events++
		r.sinceWhole++
		told, err := r.event(ctx, d.Event)
		if err != nil {
			return err
		}
		if told {
			r.position = d.Position
			return r.save(ctx)
		}
	}
	if d.Position != domain.EndPosition {
		r.position = max(r.position, d.Position)
	}
	r.caughtUp = r.caughtUp || d.CaughtUp
	return nil
}

// able refuses to tell while this node may have been given up by the others, without having noticed.
func (r *alertRunner) able() error {
	if s := r.c.LogSilence(); r.c.cfg.Shared && s >= refuseSilence {
		return fmt.Errorf("%w: another node may tell them", ErrLogSilent)
	}
	return nil
}

// event handles an event of a run, or what a node noticed, and returns true if an alert was told.
func (r *alertRunner) event(ctx context.Context, e *domain.Recorded) (told bool, err error) {
	if e.Stream == noticeStream {
		return r.notice(ctx, e)
	}
	run, ok := domain.RunOfStream(e.Stream)
	if !ok {
		return false, nil
	}
	switch e.Type {
	case "run.started.v1":
		return false, r.started(ctx, run, e)
	case "run.completed.v1", "run.compensated.v1", "run.cancelled.v1", "run.abandoned.v1":
		delete(r.slow, run)
		return false, nil
	case "run.stuck.v1", "run.turned_back.v1":
		if e.Position <= r.told {
			return false, nil // read again for the slow runs
		}
	default:
		return false, nil
	}
	alert, wanted := r.alertOf(run, e)
	if !wanted || alert.Kind == AlertStuck && r.resolved(ctx, alert) {
		return false, nil
	}
	if err := r.able(); err != nil {
		return false, err
	}
	if started, _, err := r.c.firstEvent(ctx, run); err == nil {
		alert.Saga, alert.Version = started.Saga, started.Version
	}
	return true, r.sink.tell(ctx, alert)
}

// notice tells what a node noticed.
func (r *alertRunner) notice(ctx context.Context, e *domain.Recorded) (told bool, err error) {
	alert, err := noticeOf(e)
	if err != nil {
		r.warn(e, err)
	}
	if err != nil || e.Position <= r.told {
		return false, nil
	}
	if err := r.able(); err != nil {
		return false, err
	}
	return true, r.sink.tell(ctx, alert)
}

// alertOf makes the alert of a run that got stuck or turned back. Of a stuck run it is wanted though the event can't be
// read.
func (r *alertRunner) alertOf(run domain.RunID, e *domain.Recorded) (alert Alert, wanted bool) {
	alert = Alert{Run: run}
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		alert.ID, alert.Kind, alert.At = e.ID.String(), AlertStuck, e.Created
		alert.Cause = &domain.Failure{Message: domain.ShortMessage("what the run is stuck at can't be read: " + err.Error())}
		return alert, e.Type == "run.stuck.v1"
	}
	alert.At = f.Meta.At
	switch e := f.Event.(type) {
	case *domain.RunStuck:
		alert.ID, alert.Kind, alert.Step, alert.Cause = e.Incident, AlertStuck, e.Step, &e.Cause
		return alert, true
	case *domain.RunTurnedBack:
		alert.ID, alert.Kind, alert.Step, alert.Cause = run.String()+"/failed", AlertFailed, e.Cause.Step, &e.Cause
		return alert, e.Cause.Kind != domain.FailureCancelled && e.Cause.Kind != domain.FailureParent // else somebody wanted it
	}
	return alert, false
}

// resolved reports whether an incident is not open any more. Of a run that can't be read nobody knows.
func (r *alertRunner) resolved(ctx context.Context, a Alert) bool {
	s, err := r.c.foldAt(ctx, a.Run, Latest)
	if err != nil {
		return false
	}
	open := false
	for _, st := range ViewOf(s).Steps {
		open = open || st.Incident == a.ID
	}
	return !open
}

// warn complains once about events that can't be read.
func (r *alertRunner) warn(e *domain.Recorded, err error) {
	if !r.warned {
		r.c.logger.Warn("alerts pass over what can't be read", "sink", r.sink.name, "stream", e.Stream, "revision", e.Revision, "error", err)
	}
	r.warned = true
}

func (r *alertRunner) started(ctx context.Context, run domain.RunID, e *domain.Recorded) error {
	f, err := domain.DecodeFact(e)
	if err != nil {
		r.warn(e, err)
		return nil
	}
	started, ok := f.Event.(*domain.RunStarted)
	if !ok {
		return nil
	}
	plan, err := r.c.planOf(ctx, started.Plan)
	if err = ofPlan(run, err); errors.Is(err, ErrUnreadable) {
		r.warn(e, err)
		return nil
	}
	if err == nil && plan.Slow > 0 {
		r.expect(slowRun{Run: run, Saga: started.Saga, Version: started.Version, At: f.Meta.At.Add(time.Duration(plan.Slow))}, e.Position)
	}
	return err
}

// expect notes a run that may turn out slow, unless it was told so.
func (r *alertRunner) expect(s slowRun, position domain.Position) {
	if position > r.told || s.At.After(r.slowTo) {
		now := r.c.clock.Read()
		s.due = now.Steady.Add(s.At.Sub(now.Wall()))
		r.slow[s.Run] = s
	}
}

// tellSlow tells of the runs whose time has come and that have not ended, in the order of their times.
func (r *alertRunner) tellSlow(ctx context.Context) error {
	if !r.caughtUp {
		return nil // some of them may have ended
	}
	for _, s := range r.due(r.c.clock.Steady()) {
		if !r.c.wakeups.Has(s.Run) {
			delete(r.slow, s.Run) // it ended just now
			continue
		}
		if err := r.able(); err != nil {
			return err
		}
		if err := r.sink.tell(ctx, Alert{ID: s.Run.String() + "/slow", Kind: AlertSlow, Run: s.Run, Saga: s.Saga, Version: s.Version, At: s.At}); err != nil {
			return err
		}
		delete(r.slow, s.Run)
		if s.At.After(r.slowTo) {
			r.slowTo = s.At
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// due returns the runs that are slow, the earliest time first.
func (r *alertRunner) due(now time.Time) []slowRun {
	var list []slowRun
	for _, s := range r.slow {
		if !now.Before(s.due) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b slowRun) int { return a.At.Compare(b.At) })
	return list
}
