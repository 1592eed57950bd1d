package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/again"
)

// earlyEvents bounds the events of all awaited types that are kept in memory for awaits that open
// later. Older events that an unfinished run may want are stored in a stream per type and
// correlation id.
const earlyEvents = 100_000

// leftAtOnce is how many events are stored at once.
const leftAtOnce = 2_000

// leftPrefix begins the names of the streams that hold events for awaits that open later, by key.
const leftPrefix = indexStream + "-"

const leftType = "atone.inbox_event.v1"

func leftStream(k Key) string {
	return leftPrefix + uuid.NewSHA1(domain.SystemSpace, []byte(k.Type+"\x00"+k.Correlation)).String()
}

// leftEvent is the place of an event that an await may take. Key distinguishes two keys whose
// streams have the same name.
type leftEvent struct {
	Key
	Event
}

// makeRoom keeps the index within its bound. The caller holds mu; makeRoom releases it while events
// come in faster than they can be stored.
func (in *Inbox) makeRoom() {
	limit := max(earlyEvents/max(len(in.awaited), 1), leftAtOnce)
	for in.leaving && in.index.Kept() > 2*earlyEvents && in.Life.Err() == nil {
		in.left.Wait()
	}
	if in.leaving {
		return
	}
	horizon := domain.EndPosition
	if in.index.Over(limit) {
		for _, l := range in.lanes {
			horizon = min(horizon, l.oldest())
		}
	}
	excess := in.index.Excess(limit, leftAtOnce, horizon)
	if len(excess) == 0 {
		return
	}
	in.leaving = true
	if !in.Go(func(ctx context.Context) { in.leave(ctx, excess) }) {
		in.leaving = false
	}
}

// leave stores events under their keys and drops them from memory.
func (in *Inbox) leave(ctx context.Context, excess map[Key][]Event) {
	err := again.Until(ctx, 100*time.Millisecond, 10*time.Second, func() error { return in.storeLeft(ctx, excess) },
		func(err error, _ int, again time.Duration) {
			in.Logger.Warn("events for later awaits not stored, trying again", "in", again, "error", err)
		})
	in.mu.Lock()
	defer in.mu.Unlock()
	if err == nil {
		in.index.Leave(excess)
	}
	in.leaving = false
	in.left.Broadcast()
}

// storeLeft appends events to the streams of their keys. Other nodes may append the same events,
// which have the same ids.
func (in *Inbox) storeLeft(ctx context.Context, excess map[Key][]Event) error {
	const width, perAppend = 64, 500
	room, all := make(chan struct{}, width), sync.WaitGroup{}
	var mu sync.Mutex
	var failed error
	for key, events := range excess {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			for part := range slices.Chunk(events, perAppend) {
				batch := make([]domain.NewEvent, 0, len(part))
				for _, e := range part {
					data, err := json.Marshal(leftEvent{key, e})
					if err == nil {
						batch = append(batch, domain.NewEvent{ID: uuid.NewSHA1(domain.SystemSpace, append([]byte("left "), e.ID[:]...)), Type: leftType, Data: data})
					}
				}
				if err := in.appendLeft(ctx, leftStream(key), batch); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
					return
				}
			}
		})
	}
	all.Wait()
	return failed
}

// appendLeft appends a batch. If another node has stored a part of it, it appends event by event.
func (in *Inbox) appendLeft(ctx context.Context, stream string, batch []domain.NewEvent) error {
	_, err := in.Log.Append(ctx, stream, domain.AnyRevision, batch...)
	for i := 0; errors.Is(err, domain.ErrConflict) && i < len(batch); i++ {
		if _, one := in.Log.Append(ctx, stream, domain.AnyRevision, batch[i]); one != nil {
			return one
		} else if i == len(batch)-1 {
			return nil
		}
	}
	return err
}

// readLeft reads the events that were stored under a key, in the order of the log.
func (in *Inbox) readLeft(ctx context.Context, key Key) (events []Event, err error) {
	for r, err := range in.Log.ReadStream(ctx, leftStream(key), 0) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", leftStream(key), err)
		}
		var e leftEvent
		if r.Type == leftType && json.Unmarshal(r.Data, &e) == nil && e.Key == key {
			events = append(events, e.Event)
		}
	}
	slices.SortFunc(events, func(a, b Event) int {
		switch {
		case a.Position < b.Position:
			return -1
		case a.Position > b.Position:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(events, func(a, b Event) bool { return a.ID == b.ID }), nil
}

// oldest returns the position of the oldest event that may still start a run.
func (l *lane) oldest() domain.Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := domain.EndPosition
	if !l.hot || l.busy || len(l.queue) > 0 || len(l.resumed) > 0 {
		oldest = l.read
	}
	for _, p := range l.pending {
		oldest = min(oldest, p.event.Position)
	}
	return oldest
}
