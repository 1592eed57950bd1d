package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/follow"
	"github.com/atonehq/atone/projections/internal/signal"
)

// Config sets up a [Runner].
type Config struct {
	// Source is the log; required.
	Source projections.Source
	// Store keeps the views; required.
	Store projections.Store
	// Views to keep up to date; required. Names are unique. Package views has atone's own.
	Views []projections.View
	// Batch is the largest number of events that one transaction applies; 4096 when 0.
	Batch int
	// Linger is how long a live view gathers events before it applies them: longer costs less CPU,
	// shorter shows changes sooner. A query that asks for a position does not wait for it. 10 ms
	// when 0; negative means none.
	Linger time.Duration
	// Share is how much of one core all live views together may use, in elapsed time, including
	// waits for the disk and for a core. Between batches they rest, gather more events and apply
	// them in fewer, larger transactions. The log comes first: under lasting overload views lag
	// more and more, which Status shows, and catch up when the log is idle. Views do not rest while
	// a query waits for a position, nor during first builds and rebuilds. 0.3 when 0; 1 or more
	// means no rest.
	Share float64
	// Backoff is the delay after a view's first failure; it doubles up to 30 s. 250 ms when 0.
	Backoff time.Duration
	// Poll is how often a view looks for a rebuild that another process asked for; 2 s when 0.
	Poll time.Duration
	// Logger receives failures; slog.Default when nil.
	Logger *slog.Logger
	// Now is the clock for lag; time.Now when nil.
	Now func() time.Time
}

const maxBackoff = 30 * time.Second

func (c *Config) setDefaults() {
	if c.Batch == 0 {
		c.Batch = 4096
	}
	if c.Linger == 0 {
		c.Linger = 10 * time.Millisecond
	}
	if c.Share == 0 {
		c.Share = 0.3
	}
	if c.Backoff == 0 {
		c.Backoff = 250 * time.Millisecond
	}
	if c.Poll == 0 {
		c.Poll = 2 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// Validate reports everything that is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	if c.Source == nil {
		errs = append(errs, errors.New("runner: Source is missing: set it to the log"))
	}
	if c.Store == nil {
		errs = append(errs, errors.New("runner: Store is missing: open one with adapters/sqlite or adapters/postgres"))
	}
	if c.Batch < 0 || c.Backoff < 0 || c.Poll < 0 || !(c.Share >= 0) {
		errs = append(errs, fmt.Errorf("runner: Batch (%d), Backoff (%v), Poll (%v) and Share (%v) must not be negative", c.Batch, c.Backoff, c.Poll, c.Share))
	}
	if len(c.Views) == 0 {
		errs = append(errs, errors.New("runner: Views is empty: set it to views.All(), or to your own"))
	}
	seen := map[string]bool{}
	for i := range c.Views {
		errs = append(errs, c.Views[i].Validate())
		if seen[c.Views[i].Name] {
			errs = append(errs, fmt.Errorf("runner: two views are called %q", c.Views[i].Name))
		}
		seen[c.Views[i].Name] = true
	}
	return errors.Join(errs...)
}

// Runner keeps views up to date with a log. Methods are safe to call concurrently.
type Runner struct {
	cfg     Config
	hub     *follow.Hub
	keepers []*keeper
}

// New returns a runner; it starts nothing.
func New(cfg Config) (*Runner, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var filters []domain.Filter // of those that can share a tap
	for i := range cfg.Views {
		if cfg.Views[i].Wants == nil {
			filters = append(filters, cfg.Views[i].Selects())
		}
	}
	r := &Runner{cfg: cfg, hub: follow.NewHub(cfg.Source, (&projections.View{}).Selects(), cfg.Share, filters...)}
	for i := range cfg.Views {
		r.keepers = append(r.keepers, newKeeper(&r.cfg, &r.cfg.Views[i], r.hub))
	}
	return r, nil
}

// Run projects all views until ctx ends; it returns nil then. A failed view is logged and tried
// again from its last position; the others go on. Call Run once.
func (r *Runner) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, k := range r.keepers {
		wg.Go(func() { k.run(ctx) })
	}
	wg.Wait()
	r.hub.Wait()
	return nil
}

// ErrUnknownView means that the runner has no view of that name.
var ErrUnknownView = errors.New("no such view")

func (r *Runner) keeper(view string) (*keeper, error) {
	for _, k := range r.keepers {
		if k.view.Name == view {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", view, ErrUnknownView)
}

// Rebuild projects the view again from the log's beginning, into new tables, while the old ones
// answer queries. It returns when the new tables have replaced the old ones. If ctx ends first, the
// rebuild goes on. Call it in any process that shares the store, as long as one process runs the
// view.
func (r *Runner) Rebuild(ctx context.Context, view string) error {
	k, err := r.keeper(view)
	if err != nil {
		return err
	}
	number, err := r.cfg.Store.Create(ctx, k.view)
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", view, err)
	}
	signal.Tell(k.nudged)
	for {
		moved := k.moved()
		gens, err := r.cfg.Store.Generations(ctx, view)
		if err != nil {
			return fmt.Errorf("rebuild %s: %w", view, err)
		}
		if slices.ContainsFunc(gens, func(g projections.Generation) bool { return g.Live && g.Number >= number }) {
			return nil
		}
		if !slices.ContainsFunc(gens, func(g projections.Generation) bool { return g.Number == number }) {
			// Another rebuild was under way when this one was requested, so this one was dropped.
			if number, err = r.cfg.Store.Create(ctx, k.view); err != nil {
				return fmt.Errorf("rebuild %s: %w", view, err)
			}
			signal.Tell(k.nudged)
		}
		if err := signal.Pause(ctx, moved, r.cfg.Poll); err != nil {
			return fmt.Errorf("rebuild %s goes on, but the wait for it ended: %w", view, err)
		}
	}
}

// AtLeast waits until the live rows of the view have reached the position, for at most the timeout;
// then the error is [projections.ErrBehind]. Use a position that an append to a run's stream
// returned. Meanwhile the view does not rest.
func (r *Runner) AtLeast(ctx context.Context, view string, position domain.Position, timeout time.Duration) error {
	k, err := r.keeper(view)
	if err != nil {
		return err
	}
	return k.await(ctx, position, timeout)
}

// Reader returns a reader of the store whose waits for a position hurry the runner. It also waits
// for views that another process runs.
func (r *Runner) Reader() *projections.Reader {
	return projections.NewAwaitingReader(r.cfg.Store, func(ctx context.Context, view string, position domain.Position, timeout time.Duration) error {
		if k, err := r.keeper(view); err == nil {
			return k.await(ctx, position, timeout)
		}
		return projections.Await(ctx, r.cfg.Store, view, position, timeout, nil)
	})
}
