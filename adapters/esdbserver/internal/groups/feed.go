package groups

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// own reports whether the stream belongs to a group over all streams. Such groups do not see those
// streams: they would never come to rest, since each checkpoint is an event too.
func own(stream string) bool {
	return strings.HasPrefix(strings.TrimPrefix(stream, "$$"), "$persistentsubscription-"+All+"::")
}

// feed reads the source into the group until ctx ends or the source is gone.
func (g *Group) feed(ctx context.Context) {
	for {
		err := g.read(ctx)
		var deleted *streamdb.DeletedError
		switch {
		case ctx.Err() != nil:
			return
		case errors.As(err, &deleted):
			// The tombstone was the last event. What is with the consumers goes on.
			g.logger.Info("the group has come to the end of its source, which is deleted")
			<-ctx.Done()
			return
		case errors.Is(err, domain.ErrClosed):
			g.logger.Warn("the group has stopped: its source is gone", "error", err)
			g.drop(ErrFaulted)
			return
		}
		g.logger.Error("reading for the group failed, trying again in a second", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (g *Group) source(ctx context.Context) iter.Seq2[streamdb.Message, error] {
	g.mu.Lock()
	after := g.lastRead
	g.mu.Unlock()
	if g.settings.Stream == All {
		return g.db.SubscribeAll(ctx, streamdb.Place{After: domain.Position(max(after, 0))}, g.filter)
	}
	return g.db.SubscribeStream(ctx, g.settings.Stream, after)
}

func (g *Group) read(ctx context.Context) error {
	for m, err := range g.source(ctx) {
		switch {
		case err != nil:
			return err
		case m.CaughtUp:
			g.mu.Lock()
			g.live = true
			g.mu.Unlock()
		case m.Checkpoint:
			g.skipTo(int64(m.Position), int64(g.filter.Interval))
		case g.settings.Stream == All && own(m.Event.Stream):
			g.skipTo(int64(m.Position), 0)
		default:
			if err := g.take(ctx, *m.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// take resolves the event and puts it at the end of what is ready, when there is room.
func (g *Group) take(ctx context.Context, event domain.Recorded) error {
	resolved := streamdb.Resolved{Event: &event}
	if g.settings.ResolveLinks {
		var err error
		if resolved, err = g.db.Resolve(ctx, event, nil); err != nil {
			return err
		}
	}
	m := newMessage(resolved, g.settings.placeOf(&event))
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.ready) >= int(g.settings.HistoryBufferSize) || (len(g.ready) > 0 && g.readyBytes+m.size > bufferBytes) {
		g.live = false
		g.mu.Unlock()
		select {
		case <-g.room:
		case <-ctx.Done():
		}
		g.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	g.ready = append(g.ready, m)
	g.readyBytes += m.size
	g.lastRead, g.lastTaken = m.at, m.at
	g.push(g.now())
	return nil
}

// skipTo notes that nothing up to the place is for this group; considered is how many events were
// looked at.
func (g *Group) skipTo(at, considered int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lastRead = at
	if last := len(g.ready) - 1; last >= 0 && g.ready[last].order < 0 {
		g.ready[last].then = at
		return
	}
	g.known = at
	g.knownOrder += considered
	g.tryCheckpoint(false)
}
