package pebblelog

import (
	"sync/atomic"
	"time"
)

// Stats are numbers about a log since it was opened, for metrics. All but Subscribers,
// Durable and DiskBytes only grow.
type Stats struct {
	// Appends that were written, their events, and their bytes of events.
	Appends, Events, Bytes uint64
	// Batches is how many batches were written; each is one sync or a part of one.
	Batches uint64
	// Conflicts and Repeats count the appends that were refused, and recognised as repeats.
	Conflicts, Repeats uint64
	// SyncWait adds up how long batches waited to become durable after they were written;
	// SyncWaits counts them by duration: up to SyncWaitBounds[i], and in the last place the rest.
	SyncWait  time.Duration
	SyncWaits [len(syncBounds) + 1]uint64
	// BatchSizes counts batches by their number of appends: up to BatchSizeBounds[i], and
	// in the last place the rest.
	BatchSizes [len(batchBounds) + 1]uint64
	// SlowDisk counts the disk operations that took seconds.
	SlowDisk uint64
	// Subscribers is how many subscriptions there are now.
	Subscribers int64
	// Durable is the position of the last durable event.
	Durable uint64
	// DiskBytes is the space that the log takes on disk.
	DiskBytes uint64
	// Failed tells that the log takes no more appends.
	Failed bool
}

var (
	syncBounds = [...]time.Duration{
		50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
		time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
		25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, time.Second,
	}
	batchBounds = [...]uint64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512}
)

// SyncWaitBounds are the upper bounds of [Stats.SyncWaits].
func SyncWaitBounds() []time.Duration { return syncBounds[:] }

// BatchSizeBounds are the upper bounds of [Stats.BatchSizes].
func BatchSizeBounds() []uint64 { return batchBounds[:] }

// counters are what Stats are made of.
type counters struct {
	appends, events, bytes, batches, conflicts, repeats, slowDisk atomic.Uint64
	syncWait                                                      atomic.Int64
	syncWaits                                                     [len(syncBounds) + 1]atomic.Uint64
	batchSizes                                                    [len(batchBounds) + 1]atomic.Uint64
	subscribers                                                   atomic.Int64
}

// observe counts a batch that was written and took this long to become durable.
func (c *counters) observe(b *batch, wait time.Duration) {
	c.batches.Add(1)
	c.appends.Add(uint64(len(b.records)))
	c.events.Add(uint64(b.events))
	bytes := 0
	for _, r := range b.records {
		bytes += r.size
	}
	c.bytes.Add(uint64(bytes))
	c.syncWait.Add(int64(wait))
	i := 0
	for i < len(syncBounds) && wait > syncBounds[i] {
		i++
	}
	c.syncWaits[i].Add(1)
	i = 0
	for i < len(batchBounds) && uint64(len(b.records)) > batchBounds[i] {
		i++
	}
	c.batchSizes[i].Add(1)
}

// Stats returns the log's numbers. On a closed log DiskBytes is 0.
func (l *Log) Stats() Stats {
	c := &l.counters
	s := Stats{
		Appends: c.appends.Load(), Events: c.events.Load(), Bytes: c.bytes.Load(), Batches: c.batches.Load(),
		Conflicts: c.conflicts.Load(), Repeats: c.repeats.Load(), SyncWait: time.Duration(c.syncWait.Load()),
		SlowDisk: c.slowDisk.Load(), Subscribers: c.subscribers.Load(), Durable: l.durable.Load(), Failed: l.err() != nil,
	}
	for i := range c.syncWaits {
		s.SyncWaits[i] = c.syncWaits[i].Load()
	}
	for i := range c.batchSizes {
		s.BatchSizes[i] = c.batchSizes[i].Load()
	}
	if l.acquire() == nil {
		s.DiskBytes = l.db.Metrics().DiskSpaceUsage()
		l.release()
	}
	return s
}
