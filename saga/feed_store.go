package saga

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
	"github.com/atonehq/atone/saga/internal/inbox"
)

// earlyEvents bounds how many events of all awaited types together are kept in memory for awaits that open later. Older
// ones that an unfinished run may want are stored in a stream of their type and correlation id.
const earlyEvents = 100_000

// leftAtOnce is how many events are stored in one go.
const leftAtOnce = 2_000

// leftPrefix begins the names of the streams that hold events for awaits that open later, by key.
const leftPrefix = inboxStream + "-"

const leftType = "atone.inbox_event.v1"

func leftStream(k inbox.Key) string {
	return leftPrefix + uuid.NewSHA1(planSpace, []byte(k.Type+"\x00"+k.Correlation)).String()
}

// leftEvent says where an event stands that an await may take. Key tells two apart whose streams have one name.
type leftEvent struct {
	inbox.Key
	inbox.Event
}

// makeRoom sees to it that the index stays within its bound. The caller holds mu, which is let go while the events come
// in faster than they can be stored.
func (f *feed) makeRoom() {
	limit := max(earlyEvents/max(len(f.awaited), 1), leftAtOnce)
	for f.leaving && f.index.Kept() > 2*earlyEvents && f.c.life.Err() == nil {
		f.left.Wait()
	}
	if f.leaving {
		return
	}
	horizon := domain.EndPosition
	if f.index.Over(limit) {
		for _, l := range f.lanes {
			horizon = min(horizon, l.oldest())
		}
	}
	excess := f.index.Excess(limit, leftAtOnce, horizon)
	if len(excess) == 0 {
		return
	}
	f.leaving = true
	if !f.c.goBackground(func(ctx context.Context) { f.leave(ctx, excess) }) {
		f.leaving = false
	}
}

// leave stores events under their keys and drops them from memory.
func (f *feed) leave(ctx context.Context, excess map[inbox.Key][]inbox.Event) {
	err := f.storeLeft(ctx, excess)
	for delay := 100 * time.Millisecond; err != nil && ctx.Err() == nil; delay = min(2*delay, 10*time.Second) {
		f.c.logger.Warn("events for later awaits not stored, trying again", "in", delay, "error", err)
		select {
		case <-time.After(delay):
			err = f.storeLeft(ctx, excess)
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.index.Leave(excess)
	}
	f.leaving = false
	f.left.Broadcast()
}

// storeLeft appends events to the streams of their keys. Other nodes may do the same: an event has one id.
func (f *feed) storeLeft(ctx context.Context, excess map[inbox.Key][]inbox.Event) error {
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
						batch = append(batch, domain.NewEvent{ID: uuid.NewSHA1(planSpace, append([]byte("left "), e.ID[:]...)), Type: leftType, Data: data})
					}
				}
				if err := f.appendLeft(ctx, leftStream(key), batch); err != nil {
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

// appendLeft appends a batch; where another node stored a part of it, event by event.
func (f *feed) appendLeft(ctx context.Context, stream string, batch []domain.NewEvent) error {
	_, err := f.c.log.Append(ctx, stream, domain.AnyRevision, batch...)
	for i := 0; errors.Is(err, domain.ErrConflict) && i < len(batch); i++ {
		if _, one := f.c.log.Append(ctx, stream, domain.AnyRevision, batch[i]); one != nil {
			return one
		} else if i == len(batch)-1 {
			return nil
		}
	}
	return err
}

// readLeft reads the events that were stored under a key, in the order of the log.
func (f *feed) readLeft(ctx context.Context, key inbox.Key) (events []inbox.Event, err error) {
	for r, err := range f.c.log.ReadStream(ctx, leftStream(key), 0) {
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", leftStream(key), err)
		}
		var e leftEvent
		if r.Type == leftType && json.Unmarshal(r.Data, &e) == nil && e.Key == key {
			events = append(events, e.Event)
		}
	}
	slices.SortFunc(events, func(a, b inbox.Event) int {
		switch {
		case a.Position < b.Position:
			return -1
		case a.Position > b.Position:
			return 1
		}
		return 0
	})
	return slices.CompactFunc(events, func(a, b inbox.Event) bool { return a.ID == b.ID }), nil
}
