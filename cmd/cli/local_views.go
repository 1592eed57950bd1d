package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// localViews keeps views of a data directory up to date while a command asks them.
type localViews struct {
	store  *sqlite.Store
	runner *projections.Runner
	stop   context.CancelFunc
	ended  chan error
	told   bool // whether it belongs to the log was looked at, and said
}

// openViews opens the views, and only these, over the log.
func (b *localBackend) openViews(list ...projections.View) (*localViews, error) {
	log, err := b.reader()
	if err != nil {
		return nil, err
	}
	data, err := b.env.dataDir()
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(sqlite.Config{Dir: viewsDir(data)})
	if err != nil {
		return nil, err
	}
	runner, err := projections.New(projections.Config{Source: log, Store: store, Views: list, Linger: -1, Logger: b.env.quiet()})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	ctx, stop := context.WithCancel(context.Background())
	v := &localViews{store: store, runner: runner, stop: stop, ended: make(chan error, 1)}
	go func() { v.ended <- runner.Run(ctx) }()
	return v, nil
}

func (v *localViews) close() error {
	v.stop()
	return errors.Join(<-v.ended, v.store.Close())
}

// ask calls f with a view that has caught up with the log.
func (b *localBackend) ask(ctx context.Context, view projections.View, f func(r *projections.Reader) error) error {
	v := b.views[view.Name]
	if v == nil {
		var err error
		if v, err = b.openViews(view); err != nil {
			return err
		}
		if b.views == nil {
			b.views = make(map[string]*localViews)
		}
		b.views[view.Name] = v
	}
	if err := b.catchUp(ctx, v, view.Name); err != nil {
		return err
	}
	if err := b.tellReplaced(ctx, v, view.Name); err != nil {
		return err
	}
	return f(v.runner.Reader())
}

// tellReplaced says so where the view was not this log's: who put an older copy back by mistake must not miss it.
func (b *localBackend) tellReplaced(ctx context.Context, v *localViews, view string) error {
	if v.told {
		return nil
	}
	all, err := v.runner.Status(ctx)
	if err != nil {
		return err
	}
	v.told = true
	for i := range all {
		if all[i].View == view && all[i].NotOurs != "" {
			_, err = fmt.Fprintf(b.env.Err, "the view %s did not belong to this log (%s): an older copy of the log was put back, or it is another log. The view was built anew\n", view, all[i].NotOurs)
		}
	}
	return err
}

// closeViews closes what ask has opened. It is called before the log is closed.
func (b *localBackend) closeViews() error {
	var errs []error
	for _, v := range b.views {
		errs = append(errs, v.close())
	}
	b.views = nil
	return errors.Join(errs...)
}

// patience is how long a view may take before people are told how far it is.
const patience = time.Second

// catchUp waits until the view has come to the end of the log. The first question that is asked of a data
// directory builds the view; people see how far that is.
func (b *localBackend) catchUp(ctx context.Context, v *localViews, view string) error {
	log, err := b.reader()
	if err != nil {
		return err
	}
	var end domain.Position
	for r, err := range log.ReadAllBackward(ctx, domain.EndPosition, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return err
		}
		end = r.Position
		break
	}
	for {
		err := v.runner.AtLeast(ctx, view, end, patience)
		if !errors.Is(err, projections.ErrBehind) {
			return errors.Join(err, b.built(ctx, v, view))
		}
		all, err := v.runner.Status(ctx)
		if err != nil {
			return err
		}
		for i := range all {
			if all[i].View != view {
				continue
			}
			if all[i].Err != nil {
				return fmt.Errorf("build the view %s: %w: free what is missing, or remove %s: it is built anew from the log", view, all[i].Err, viewsDir(b.env.data))
			}
			if _, _, terminal := tty.Size(b.env.Err); terminal {
				_, _ = fmt.Fprintf(b.env.Err, "building the view %s: %d events to go\n", view, all[i].LagEvents) // only a show
			}
		}
	}
}

// built waits until a view, which may have no events, answers questions.
func (b *localBackend) built(ctx context.Context, v *localViews, view string) error {
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

func (b *localBackend) Runs(ctx context.Context, f projections.RunFilter) (page wire.Page[wire.RunItem], err error) {
	err = b.ask(ctx, projections.Runs(), func(r *projections.Reader) error {
		found, err := r.Runs(ctx, f)
		now := time.Now()
		page = wire.RowsOf(found.Runs, found.Next, &found.As, func(r **projections.Run) wire.RunItem { return wire.RunItemOf(*r, now) })
		return err
	})
	return page, err
}

func (b *localBackend) Audit(ctx context.Context, f projections.AuditFilter) (page wire.Page[wire.AuditRow], err error) {
	err = b.ask(ctx, projections.Audit(), func(r *projections.Reader) error {
		found, err := r.Audit(ctx, f)
		page = wire.RowsOf(found.Rows, found.Next, &found.As, wire.AuditRowOf)
		return err
	})
	return page, err
}

func (b *localBackend) Incidents(ctx context.Context, f projections.IncidentFilter) (page wire.Page[wire.Incident], err error) {
	err = b.ask(ctx, projections.Incidents(), func(r *projections.Reader) error {
		found, err := r.Incidents(ctx, f)
		now := time.Now()
		page = wire.RowsOf(found.Incidents, found.Next, &found.As, func(i *projections.Incident) wire.Incident { return wire.IncidentOf(i, now) })
		return err
	})
	return page, err
}

func (b *localBackend) Stats(ctx context.Context, q client.StatsQuery) (stats wire.Stats, err error) {
	err = b.ask(ctx, projections.Stats(), func(r *projections.Reader) error {
		f := projections.StatsFilter{Saga: q.Saga, Action: q.Action}
		if q.Last > 0 {
			f.Since = time.Now().Add(-q.Last)
		}
		found, err := r.Stats(ctx, f)
		stats.Stats = make([]wire.Stat, len(found))
		for i := range found {
			stats.Stats[i] = wire.StatOf(&found[i])
		}
		return err
	})
	return stats, err
}

func (b *localBackend) Projections(ctx context.Context) ([]wire.View, error) {
	v, err := b.openViews()
	if err != nil {
		return nil, err
	}
	all, err := v.runner.Status(ctx)
	out := make([]wire.View, len(all))
	for i := range all {
		out[i] = viewOf(&all[i])
	}
	return out, errors.Join(err, v.close())
}

func viewOf(st *projections.Status) wire.View {
	v := wire.View{View: st.View, Version: st.Version, Built: st.Live != nil, Building: st.Building != nil, Leading: st.Leading,
		LagEvents: st.LagEvents, LagMore: st.LagMore, Lag: domain.Duration(st.Lag)}
	if st.Live != nil && st.Live.Old {
		v.Old = true
	} else if st.Live != nil {
		v.Position, v.Events = st.Live.Position, st.Live.Events
	}
	if st.Err != nil {
		v.Error = st.Err.Error()
	}
	return v
}

// Rebuild builds the views at the same time: the log is then read once for all of them.
func (b *localBackend) Rebuild(ctx context.Context, views ...string) (out []wire.View, err error) {
	v, err := b.openViews()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	for _, view := range views {
		// A view that is being built for the first time is as good as rebuilt when it is there; only then can another be begun beside it.
		if err := b.catchUp(ctx, v, view); err != nil {
			return nil, err
		}
	}
	building, within := errgroup.WithContext(ctx)
	for _, view := range views {
		building.Go(func() error { return v.runner.Rebuild(within, view) })
	}
	if err := building.Wait(); err != nil {
		return nil, err
	}
	all, err := v.runner.Status(ctx)
	for _, view := range views {
		for i := range all {
			if all[i].View == view {
				out = append(out, viewOf(&all[i]))
			}
		}
	}
	return out, err
}
