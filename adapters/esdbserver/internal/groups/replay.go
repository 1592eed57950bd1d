package groups

import (
	"context"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
)

// Replay gives the parked messages out again, up to the link of the number stopAt
// (exclusive; negative means all). What is parked meanwhile stays parked.
func (g *Group) Replay(ctx context.Context, stopAt int64) error {
	view, err := g.db.View(ctx, parkedStream(g.settings.Key()))
	if err != nil {
		return err
	}
	stop := view.Last + 1
	if stopAt >= 0 {
		stop = min(stop, stopAt)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	r := &g.replays
	from := max(view.First, r.next)
	if !view.Exists || r.running || from >= stop || g.dropped != nil {
		return nil // nothing to do, or being done
	}
	if r.open == nil {
		r.open = map[int64]struct{}{}
	}
	r.trimmed = max(r.trimmed, view.First)
	r.running = g.background(func() {
		err := g.replay(view, from, stop)
		g.mu.Lock()
		defer g.mu.Unlock()
		r.running = false
		if err != nil && g.life.Err() == nil {
			g.logger.Error("replaying parked messages stopped: ask for it again", "error", err)
		}
		g.advance()
	})
	return nil
}

func (g *Group) replay(view streamdb.View, from, stop int64) error {
	for link, err := range view.Forward(g.life, uint64(from)) {
		if err != nil {
			return err
		}
		number := int64(link.Revision)
		if number >= stop {
			break
		}
		resolved, err := g.db.Resolve(g.life, link, nil)
		if err != nil {
			return err
		}
		if err := g.takeReplayed(resolved, number); err != nil {
			return err
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.replays.next = max(g.replays.next, stop)
	return nil
}

// takeReplayed gives a parked message out again, when there is room.
func (g *Group) takeReplayed(resolved streamdb.Resolved, number int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.retry) >= int(g.settings.HistoryBufferSize) {
		g.mu.Unlock()
		select {
		case <-time.After(50 * time.Millisecond):
		case <-g.life.Done():
		}
		g.mu.Lock()
		if err := g.life.Err(); err != nil {
			return err
		}
	}
	g.replays.next = number + 1
	if resolved.Event == nil {
		return nil // deleted since
	}
	m := newMessage(resolved, 0)
	m.parked = number
	g.replays.open[number] = struct{}{}
	g.retry = append(g.retry, m)
	g.push(g.now())
	return nil
}
