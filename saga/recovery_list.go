package saga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// unfinished is the list of the runs that have not ended, up to a position in the log.
type unfinished struct {
	position domain.Position
	runs     map[domain.RunID]domain.Wake
	// read counts the events of runs that were read since the list was last saved, or loaded.
	read int
	// savedAt is when it was last saved or loaded, saving how long that took.
	savedAt time.Time
	saving  time.Duration
}

func newUnfinished() *unfinished {
	return &unfinished{runs: make(map[domain.RunID]domain.Wake), savedAt: time.Now()}
}

// When a list that is being read is saved: after that many events, or where the log is full of others' events after
// that time, so that a start that is cut short goes on from there; and at the end if that much was read.
const (
	saveScanEvery = 100_000
	saveScanAfter = 5 * time.Second
	muchRead      = 10_000
	muchTime      = time.Second
)

// scan reads which runs are unfinished: the newest checkpoint that can be used, and the log after it. Only the first
// scan of a log need read all of it.
func (c *Coordinator) scan(ctx context.Context) (*unfinished, error) {
	began := time.Now()
	for u, err := range c.recoveryCheckpoints(ctx) {
		if err != nil {
			return nil, err
		}
		from := u.position
		n, err := c.readOn(ctx, u)
		if errors.Is(err, domain.ErrBadPosition) && from > 0 {
			c.logger.Warn("a recovery checkpoint is not used, trying an older one", "position", from, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		took := time.Since(began)
		if u.position > from && (n >= min(muchRead, c.cfg.CheckpointEvery) || took >= muchTime) {
			c.saveList(ctx, u)
		}
		c.logger.Info("log read", "unfinished_runs", len(u.runs), "events", n, "after_position", from, "took", took)
		return u, nil
	}
	return nil, ctx.Err()
}

// readOn brings the list up to the end of the log and returns how many events it read. It subscribes, because that
// tells how far the log was searched where nothing was found, on the same node of a cluster. The list is saved now and
// then; at the latest when as many events were read as runs are on it, so that saving costs a constant for each event.
func (c *Coordinator) readOn(ctx context.Context, u *unfinished) (n int, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for d, err := range c.log.Subscribe(ctx, u.position, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		if err != nil {
			return n, fmt.Errorf("read the log after position %d: %w", u.position, err)
		}
		if d.Event != nil {
			n++
			u.take(d.Event)
		}
		if d.Position > u.position && d.Position != domain.EndPosition {
			u.position = d.Position
		}
		if d.CaughtUp {
			return n, nil
		}
		if u.read >= max(min(saveScanEvery, c.cfg.CheckpointEvery), len(u.runs)) || d.Event == nil && time.Since(u.savedAt) > max(saveScanAfter, 10*u.saving) {
			c.saveList(ctx, u)
		}
	}
	return n, ctx.Err()
}

// take puts an event of a run on the list.
func (u *unfinished) take(e *domain.Recorded) {
	id, ok := domain.RunOfStream(e.Stream)
	if !ok {
		return
	}
	u.read++
	if w := domain.WakeOf(e.Metadata); w.Over() {
		delete(u.runs, id)
	} else {
		u.runs[id] = w
	}
}
