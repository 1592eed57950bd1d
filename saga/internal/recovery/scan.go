package recovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
)

// While the log is read, the list is saved after saveEvery events, or after saveAfter if most
// events are not of runs, so that an interrupted start continues from there. At the end it is saved
// if that many events were read, or reading took that long.
const (
	saveEvery = 100_000
	saveAfter = 5 * time.Second
	muchRead  = 10_000
	muchTime  = time.Second
)

// Scan reads which runs are unfinished: the newest checkpoint that can be used, and the log after
// it. Only the first scan of a log reads all of it.
func (r *Recovery) Scan(ctx context.Context) (*List, error) {
	began := time.Now()
	for list, err := range r.checkpoints(ctx) {
		if err != nil {
			return nil, err
		}
		from := list.Position()
		n, err := r.readOn(ctx, list)
		if errors.Is(err, domain.ErrBadPosition) && from > 0 {
			r.Logger.Warn("a recovery checkpoint is not used, trying an older one", "position", from, "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		took := time.Since(began)
		if list.Position() > from && (n >= min(muchRead, r.CheckpointEvery) || took >= muchTime) {
			r.save(ctx, list)
		}
		r.Logger.Info("log read", "unfinished_runs", list.Len(), "events", n, "after_position", from, "took", took)
		return list, nil
	}
	return nil, ctx.Err()
}

// readOn brings the list up to the end of the log and returns how many events it read. It
// subscribes, because a subscription also reports how far the log was searched without finding
// anything, on the same node of a cluster. It saves the list from time to time, after at least as
// many events as the list has runs, so that saving costs O(1) per event.
func (r *Recovery) readOn(ctx context.Context, list *List) (n int, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	filter := domain.Filter{Prefixes: []string{domain.RunPrefix}}
	for d, err := range r.Log.Subscribe(ctx, list.Position(), filter) {
		if err != nil {
			return n, fmt.Errorf("read the log after position %d: %w", list.Position(), err)
		}
		if d.Event != nil {
			n++
			list.take(d.Event)
		}
		if d.Position != domain.EndPosition {
			list.reach(d.Position)
		}
		if d.CaughtUp {
			return n, nil
		}
		if list.worthSaving(min(saveEvery, r.CheckpointEvery), d.Event != nil) {
			r.save(ctx, list)
		}
	}
	return n, ctx.Err()
}

// States reads the state of every unfinished run.
func (r *Recovery) States(ctx context.Context) (map[domain.RunID]domain.RunState, error) {
	list, err := r.Scan(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[domain.RunID]domain.RunState, list.Len())
	list.Each(func(run domain.RunID, w domain.Wake) { out[run] = cmp.Or(w.State, domain.RunRunning) })
	return out, nil
}
