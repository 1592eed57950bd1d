package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/cmd/internal/host"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/events"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/stats"
)

// directoryViews are the views of a data directory. The first query of a view opens it and brings
// it up to the end of the log; the others stay closed. They implement [httpapi.Views] and
// [httpapi.Projections].
type directoryViews struct {
	env  *Env
	log  host.Log
	life context.Context
	stop context.CancelFunc

	mu    sync.Mutex
	place *host.Views
	store projections.Store // nil until the first question
	// open has the runners by the name of their view; that of all views has an empty name.
	open map[string]*projecting
}

// projecting is a runner at work.
type projecting struct {
	*runner.Runner
	ended chan error
	// told means that the check for views of another log is done, and its finding was printed.
	told bool
}

func newViews(env *Env, log host.Log) *directoryViews {
	v := &directoryViews{env: env, log: log, open: make(map[string]*projecting)}
	v.life, v.stop = context.WithCancel(context.Background())
	return v
}

// runner returns the runner of the view or, without a name, of all views.
func (v *directoryViews) runner(name string, list ...projections.View) (*projecting, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.open[name]; r != nil {
		return r, nil
	}
	if name == "" {
		list = v.env.Program.AllViews()
	}
	if v.store == nil {
		data, err := v.env.DataDir()
		if err != nil {
			return nil, err
		}
		v.place = host.NewViews("", data)
		if v.store, err = v.place.Store(v.life); err != nil {
			return nil, err
		}
	}
	runner, err := runner.New(runner.Config{Source: v.log, Store: v.store, Views: list, Linger: -1, Logger: v.env.Quiet()})
	if err != nil {
		return nil, err
	}
	r := &projecting{Runner: runner, ended: make(chan error, 1)}
	go func() { r.ended <- runner.Run(v.life) }()
	v.open[name] = r
	return r, nil
}

// interrupt ends all work on the views: running queries and rebuilds fail.
func (v *directoryViews) interrupt() { v.stop() }

// close closes the open views. Call it before you close the log.
func (v *directoryViews) close() error {
	v.stop()
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	for _, r := range v.open {
		errs = append(errs, <-r.ended)
	}
	if v.place != nil {
		errs = append(errs, v.place.Close())
	}
	return errors.Join(errs...)
}

// fresh returns a reader of a view that has reached the end of the log.
func (v *directoryViews) fresh(ctx context.Context, view projections.View) (*projections.Reader, error) {
	r, err := v.runner(view.Name, view)
	if err != nil {
		return nil, err
	}
	if err := v.catchUp(ctx, r, &view); err != nil {
		return nil, err
	}
	return r.Reader(), v.tellReplaced(ctx, r, view.Name)
}

// tellReplaced reports a view that was not from this log: a person who restored an older copy by
// mistake must see this.
func (v *directoryViews) tellReplaced(ctx context.Context, r *projecting, view string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r.told {
		return nil
	}
	states, err := r.Status(ctx)
	if err != nil {
		return err
	}
	r.told = true
	for i := range states {
		if states[i].View == view && states[i].NotOurs != "" {
			_, err = fmt.Fprintf(v.env.Err, "the view %s did not belong to this log (%s): an older copy of the log was restored, or the log was replaced. The view was rebuilt\n", view, states[i].NotOurs)
		}
	}
	return err
}

// patience is how long a view may take before its progress is shown.
const patience = time.Second

// catchUp waits until the view has reached the end of the log. The first query of a data directory
// builds the view and shows its progress.
func (v *directoryViews) catchUp(ctx context.Context, r *projecting, of *projections.View) error {
	view := of.Name
	var end domain.Position
	for e, err := range v.log.ReadAllBackward(ctx, domain.EndPosition, of.Selects()) {
		if err != nil {
			return err
		}
		end = e.Position
		break
	}
	for {
		err := r.AtLeast(ctx, view, end, patience)
		if err == nil {
			return v.built(ctx, view)
		}
		if !errors.Is(err, projections.ErrBehind) {
			return err
		}
		states, err := r.Status(ctx)
		if err != nil {
			return err
		}
		for i := range states {
			if states[i].View != view {
				continue
			}
			if states[i].Err != nil {
				return fmt.Errorf("build the view %s: %w: mend the cause, or remove %s: the view is then rebuilt from the log", view, states[i].Err, host.ViewsDir(v.env.Data))
			}
			if _, _, terminal := tty.Size(v.env.Err); terminal {
				// Progress that can't be printed must not fail the command.
				_, _ = fmt.Fprintf(v.env.Err, "building the view %s: %d events to go\n", view, states[i].LagEvents)
			}
		}
	}
}

// built waits until a view, which may have no events, answers queries.
func (v *directoryViews) built(ctx context.Context, view string) error {
	for {
		gens, err := v.store.Generations(ctx, view)
		if err != nil || slices.ContainsFunc(gens, func(g projections.Generation) bool { return g.Live }) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ask runs a query on a view that has reached the end of the log.
func ask[F, A any](ctx context.Context, v *directoryViews, view projections.View, f F, question func(context.Context, *projections.Reader, F) (A, error)) (A, error) {
	r, err := v.fresh(ctx, view)
	if err != nil {
		var none A
		return none, err
	}
	return question(ctx, r, f)
}

// Runs implements [httpapi.Views].
func (v *directoryViews) Runs(ctx context.Context, f runs.Filter) (runs.Page, error) {
	return ask(ctx, v, runs.View(), f, runs.Find)
}

// RunNames implements [httpapi.Views].
func (v *directoryViews) RunNames(ctx context.Context, of runs.Of, prefix string) ([]string, error) {
	return ask(ctx, v, runs.View(), of, func(ctx context.Context, r *projections.Reader, of runs.Of) ([]string, error) {
		return runs.Names(ctx, r, of, prefix)
	})
}

// Audit implements [httpapi.Views].
func (v *directoryViews) Audit(ctx context.Context, f audit.Filter) (audit.Page, error) {
	return ask(ctx, v, audit.View(), f, audit.Find)
}

// Incidents implements [httpapi.Views].
func (v *directoryViews) Incidents(ctx context.Context, f incidents.Filter) (incidents.Page, error) {
	return ask(ctx, v, incidents.View(), f, incidents.Find)
}

// IncidentGroups implements [httpapi.Views].
func (v *directoryViews) IncidentGroups(ctx context.Context, f incidents.GroupFilter) (incidents.GroupPage, error) {
	return ask(ctx, v, incidents.View(), f, incidents.Groups)
}

// IncidentHistory implements [httpapi.Views].
func (v *directoryViews) IncidentHistory(ctx context.Context, no domain.Position, fresh projections.Fresh) ([]incidents.Entry, error) {
	return ask(ctx, v, incidents.View(), no, func(ctx context.Context, r *projections.Reader, no domain.Position) ([]incidents.Entry, error) {
		return incidents.History(ctx, r, no, fresh)
	})
}

// Stats implements [httpapi.Views].
func (v *directoryViews) Stats(ctx context.Context, f stats.Filter) ([]stats.Row, error) {
	return ask(ctx, v, stats.View(), f, stats.Find)
}

// StatsOver implements [httpapi.Views].
func (v *directoryViews) StatsOver(ctx context.Context, f stats.Filter) ([]stats.Point, error) {
	return ask(ctx, v, stats.View(), f, stats.Over)
}

// Events implements [httpapi.Views].
func (v *directoryViews) Events(ctx context.Context, f events.Filter) (events.Page, error) {
	return ask(ctx, v, events.View(), f, events.Find)
}

// Status implements [httpapi.Projections].
func (v *directoryViews) Status(ctx context.Context) ([]runner.Status, error) {
	r, err := v.runner("")
	if err != nil {
		return nil, err
	}
	return r.Status(ctx)
}

// Rebuild implements [httpapi.Projections]. It waits for the rebuild's end, whatever the deadline
// of ctx, because no process would continue it after this one.
func (v *directoryViews) Rebuild(ctx context.Context, view string) error {
	r, err := v.runner("")
	if err != nil {
		return err
	}
	// A view that is being built for the first time counts as rebuilt when it is ready. Before that
	// no rebuild can begin.
	for _, of := range v.env.Program.AllViews() {
		if of.Name != view {
			continue
		}
		if err := v.catchUp(v.life, r, &of); err != nil {
			return err
		}
	}
	return r.Rebuild(v.life, view)
}
