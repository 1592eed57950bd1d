package alerts

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// runner turns events into alerts for one sink. It saves its progress after each alert. So each
// alert is sent at least once, and again only if this node dies in between.
type runner struct {
	a     *Alerts
	sink  *sink
	marks *marks

	// told is the position up to which all alerts were sent; position is how far the log was read.
	told, position domain.Position
	// slowTo is the time up to which slow runs were reported, of the runs that started up to told.
	slowTo time.Time
	// slow are the runs that have not ended and may yet be slow.
	slow map[domain.RunID]slowRun
	// blocked are the versions with blocked runs, as of told.
	blocked map[blockedKey]*blockedRuns
	// events counts the events since a mark was saved; sinceWhole since a mark with the whole of
	// slow was saved.
	events, sinceWhole int
	unsaved            bool // saving failed, and is tried again
	caughtUp           bool // everything that was in the log is read
	warned             bool // an unreadable event was logged
}

// run sends alerts from the last mark on, until ctx ends, another node sends them ([errElsewhere]),
// or something fails.
func (r *runner) run(ctx context.Context) error {
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
		r.a.Logger.Warn("a saved position of alerts is not used, reading from an older one",
			"sink", r.sink.name, "position", from.position, "error", err)
	}
	return errors.New("no saved position of alerts can be used")
}

// begin sets the runner to a start.
func (r *runner) begin(from start) {
	r.position, r.told, r.slowTo = from.position, from.told, from.slowTo
	r.slow = make(map[domain.RunID]slowRun, len(from.slow))
	for _, s := range from.slow {
		r.expect(s, from.position)
	}
	r.blocked = make(map[blockedKey]*blockedRuns, len(from.blocked))
	for _, b := range from.blocked {
		b.due, b.fresh = r.steady(b.At), b.Told > 0
		r.blocked[blockedKey{b.Saga, b.Version}] = &b
	}
	r.events, r.sinceWhole, r.unsaved, r.caughtUp = 0, 0, false, false
}

// follow reads the log. Every second it looks for slow and blocked runs and for unsaved progress.
func (r *runner) follow(ctx context.Context) error {
	events := make(chan domain.Delivery)
	failed := make(chan error, 1)
	sub, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer stop()
	reading.Go(func() {
		filter := domain.Filter{Prefixes: []string{domain.RunPrefix, noticeStream}}
		for d, err := range r.a.Log.Subscribe(sub, r.position, filter) {
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
			if err := r.tellBlocked(ctx); err != nil {
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

// take handles a delivery. Its alert counts as sent when the sink has accepted it.
func (r *runner) take(ctx context.Context, d domain.Delivery) error {
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
