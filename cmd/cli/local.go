package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// localBackend works on a data directory that no server has open. Reading needs only its log; for
// anything else a coordinator is started, which moves only the runs that it is asked to.
type localBackend struct {
	env  *environment
	log  *pebblelog.Log // while there is no node
	node *node
	// views are those that a question has opened, by name; they read the log.
	views map[string]*localViews
}

func openLocal(_ context.Context, env *environment) (backend, error) {
	if _, err := env.dataDir(); err != nil {
		return nil, err
	}
	return &localBackend{env: env}, nil
}

// reader returns the log to read from.
func (b *localBackend) reader() (eventLog, error) {
	if b.node != nil {
		return b.node.log, nil
	}
	if b.log == nil {
		log, err := b.env.openLog(b.env.logger(slog.LevelWarn), true)
		if err != nil {
			return nil, err
		}
		b.log = log
	}
	return b.log, nil
}

// coordinator returns the coordinator, started when it is first needed, on a log that exists.
func (b *localBackend) coordinator(ctx context.Context) (*saga.Coordinator, error) {
	return b.openCoordinator(ctx, true)
}

// newCoordinator is coordinator for what may make the log. Before that it calls f with a coordinator that never runs, to find
// out whether what is asked has the right form: what has not leaves no trace.
func (b *localBackend) newCoordinator(ctx context.Context, f func(context.Context, *saga.Coordinator) error) error {
	idle, err := b.env.catalogue()
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := f(ended, idle); !errors.Is(err, saga.ErrNotRunning) {
		return err
	}
	c, err := b.openCoordinator(ctx, false)
	if err != nil {
		return err
	}
	return f(ctx, c)
}

func (b *localBackend) openCoordinator(ctx context.Context, mustExist bool) (*saga.Coordinator, error) {
	if b.node != nil {
		return b.node.coordinator, nil
	}
	if b.log != nil {
		if err := errors.Join(b.closeViews(), b.log.Close()); err != nil {
			return nil, err
		}
		b.log = nil
	}
	n, err := b.env.openNode(ctx, slog.LevelError, mustExist)
	if err != nil {
		return nil, err
	}
	b.node = n
	return n.coordinator, nil
}

func (b *localBackend) Close() error {
	errs := []error{b.closeViews()}
	if b.node != nil {
		errs = append(errs, b.node.close())
	}
	if b.log != nil {
		errs = append(errs, b.log.Close())
	}
	return errors.Join(errs...)
}

func (b *localBackend) Start(ctx context.Context, r startRequest) (id domain.RunID, err error) {
	err = b.newCoordinator(ctx, func(ctx context.Context, c *saga.Coordinator) (err error) {
		if r.Action != "" {
			id, err = c.InvokeByName(ctx, r.Action, r.Input, r.options()...)
		} else {
			id, err = c.StartByName(ctx, r.Saga, r.Version, r.Input, r.options()...)
		}
		return err
	})
	return id, err
}

func (b *localBackend) Wait(ctx context.Context, id domain.RunID) (json.RawMessage, error) {
	c, err := b.coordinator(ctx)
	if err != nil {
		return nil, err
	}
	return c.Wait(ctx, id)
}

func (b *localBackend) Show(ctx context.Context, id domain.RunID) (wire.Run, error) {
	log, err := b.reader()
	if err != nil {
		return wire.Run{}, err
	}
	s, err := saga.FoldAt(ctx, log, id, saga.Latest)
	if err != nil {
		return wire.Run{}, err
	}
	run := wire.Run{RunView: saga.ViewOf(s)}
	if !run.State.Ended() {
		run.Waiting = machine.Why(s, time.Now()).Text
	}
	run.RunView = run.Hide(run.Cloak(s.Plan.Secrets()))
	return run, nil
}

func (b *localBackend) Follow(ctx context.Context, id domain.RunID) iter.Seq2[projections.StoryRow, error] {
	return func(yield func(projections.StoryRow, error) bool) {
		log, err := b.reader()
		if err != nil {
			yield(projections.StoryRow{}, err)
			return
		}
		if err := exists(ctx, log, id); err != nil { // else it would be waited for
			yield(projections.StoryRow{}, err)
			return
		}
		t := projections.NewTeller(id, nil)
		for d, err := range log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{domain.RunStream(id)}}) {
			if err != nil {
				yield(projections.StoryRow{}, err)
				return
			}
			if d.Event == nil {
				continue
			}
			row, err := tell(ctx, log, t, d.Event)
			if !yield(row, err) || err != nil || t.Story.State.Ended() {
				return
			}
		}
	}
}

// exists returns [saga.ErrNotFound] where the log has no such run.
func exists(ctx context.Context, log domain.Log, id domain.RunID) error {
	for _, err := range log.ReadStream(ctx, domain.RunStream(id), 0) {
		return err
	}
	return fmt.Errorf("%s: %w", id, saga.ErrNotFound)
}

// tell adds a recorded event to a story.
func tell(ctx context.Context, log domain.Log, t *projections.Teller, r *domain.Recorded) (projections.StoryRow, error) {
	f, err := domain.DecodeFact(r)
	if err != nil {
		return projections.StoryRow{}, err
	}
	if s, ok := f.Event.(*domain.RunStarted); ok {
		fields, err := projections.SecretFields(ctx, log, s.Plan)
		if err != nil {
			return projections.StoryRow{}, err
		}
		t.Cloak = secret.NewCloak(fields)
	}
	return t.Tell(f), nil
}

func (b *localBackend) Act(ctx context.Context, id domain.RunID, a act) error {
	c, err := b.coordinator(ctx)
	if err != nil {
		return err
	}
	switch a.verb {
	case verbCancel:
		return c.Cancel(ctx, id, a.reason)
	case verbPause:
		return c.Pause(ctx, id, a.reason)
	case verbResume:
		return c.Resume(ctx, id, a.reason)
	case verbRetry:
		return c.Retry(ctx, id, a.step, a.reason)
	case verbSkip:
		return c.Skip(ctx, id, a.step, a.reason)
	case verbSubstitute:
		return c.Substitute(ctx, id, a.step, a.payload, a.reason)
	case verbAbandon:
		return c.Abandon(ctx, id, a.reason)
	case verbSignal:
		var opts []saga.SignalOption
		if a.id != "" {
			opts = append(opts, saga.SignalID(a.id))
		}
		return c.Signal(ctx, id, a.signal, a.payload, opts...)
	}
	return fmt.Errorf("no such act: %q", a.verb)
}
