package recovery

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// checkpointNode is the key by which the nodes of a cluster are ranked for saving the list: one
// node saves for all.
var checkpointNode = uuid.NewSHA1(domain.SystemSpace, []byte(stream))

// lookEvery is how often Keep checks whether the list should be saved.
const lookEvery = 5 * time.Second

// Keep saves the list after every so many events of runs, and when ctx ends.
func (r *Recovery) Keep(ctx context.Context, list *List) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := r.Own.came()
	for {
		select {
		case <-ctx.Done():
			r.leave(context.WithoutCancel(ctx), list, r.Own.came()-seen)
			return
		case <-tick.C:
		}
		n := r.Own.came()
		if n-seen < int64(max(r.CheckpointEvery, 10*list.Len())) {
			continue
		}
		seen = n
		if r.Shared && r.Rank(checkpointNode) > 0 {
			continue // another node saves
		}
		if err := r.bringUp(ctx, list); err == nil {
			r.save(ctx, list)
		} else if ctx.Err() == nil {
			r.Logger.Warn("recovery checkpoint not saved: the next start reads more", "error", err)
		}
	}
}

// bringUp brings the list up to the end of the log: from this process's appends if nobody else
// writes, otherwise by reading on.
func (r *Recovery) bringUp(ctx context.Context, list *List) error {
	if r.Own.settle(list) {
		return nil
	}
	_, err := r.readOn(ctx, list)
	return err
}

// patience bounds how long a stop reads the log for a last checkpoint, and writes it.
const patience = 2 * time.Second

// leave saves the list at an orderly stop, if enough events came since it was last saved. It saves
// nothing to a log that failed.
func (r *Recovery) leave(ctx context.Context, list *List, came int64) {
	if r.LogFailed() || came+int64(list.unsaved()) < int64(1+list.Len()/10) {
		return
	}
	reading, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := r.bringUp(reading, list); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return // after a deadline, what was read is still worth saving
	}
	writing, stopWriting := context.WithTimeout(ctx, patience)
	defer stopWriting()
	r.save(writing, list)
}
