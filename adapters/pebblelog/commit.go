package pebblelog

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/domain"
)

const (
	// maxBatchBytes is about how much one batch holds before it is written, so that a batch
	// stays small against a memtable.
	maxBatchBytes = 4 << 20
	// batchesAhead is how many batches may be written and not yet synced, besides the one
	// that is being built: the next sync finds its batch ready.
	batchesAhead = 1
)

var noSync = pebble.NoSync

// committer is the one goroutine that decides and writes appends: it takes all that wait,
// checks each against its stream's head, writes one batch, and hands it to the finisher,
// which waits for the sync. Only the committer uses its fields.
type committer struct {
	log         *Log
	heads       *heads
	position    domain.Position // the last one given out
	streams     uint64          // the last stream number given out
	batchNumber uint64
	scratch     []byte
	batches     chan *batch
	passed      atomic.Int64 // batches that the finisher has not finished
}

// batch is some appends that become durable together.
type batch struct {
	store   *pebble.Batch // nil when there is nothing to write
	replies []*request    // in order: written ones, conflicts, repeats
	records []*record
	last    domain.Position
	events  int
}

func newCommitter(l *Log) (*committer, error) {
	heads, err := newHeads(l.cfg.Heads, l.lookupHead)
	if err != nil {
		return nil, err
	}
	c := &committer{
		log: l, heads: heads,
		scratch: make([]byte, 0, 64), batches: make(chan *batch, batchesAhead-1),
	}
	if c.position, err = l.newestPosition(); err != nil {
		return nil, err
	}
	c.streams, err = l.newestStream()
	return c, err
}

// run works until the queue is closed; what still waits then gets ErrClosed.
func (c *committer) run() {
	defer close(c.log.done)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for b := range c.batches {
			c.log.finish(b)
			c.passed.Add(-1)
		}
	}()
	var empty []*request
	for {
		waiting, open := c.log.queue.take(empty)
		if !open {
			for _, r := range waiting {
				if r.claim() {
					r.err = fmt.Errorf("append to %s: %w", r.stream, domain.ErrClosed)
					r.reply()
				}
			}
			break
		}
		for rest := waiting; len(rest) > 0; {
			var b *batch
			b, rest = c.build(rest)
			c.pass(b, len(rest) == 0)
		}
		clear(waiting)
		empty = waiting[:0]
	}
	close(c.batches)
	<-finished
}

// pass hands the batch to the finisher. When nothing else is under way or waits, it
// finishes the batch itself: that saves a lone writer a change of goroutines.
func (c *committer) pass(b *batch, last bool) {
	if last && c.passed.Load() == 0 && c.log.queue.empty() {
		c.log.finish(b)
		return
	}
	c.passed.Add(1)
	c.batches <- b
}

// build writes a batch of the first of the requests and returns those that did not fit.
func (c *committer) build(waiting []*request) (*batch, []*request) {
	b := &batch{replies: make([]*request, 0, len(waiting))}
	c.batchNumber++
	created := c.log.cfg.Now().UnixNano()
	for len(waiting) > 0 && (b.store == nil || b.store.Len() < maxBatchBytes) {
		if r := waiting[0]; r.claim() {
			c.decide(b, r, created)
			b.replies = append(b.replies, r)
		}
		waiting = waiting[1:]
	}
	b.last = c.position
	if b.store != nil {
		c.apply(b)
		c.heads.written()
	}
	return b, waiting
}

// decide answers the request, and adds what it writes to the batch.
func (c *committer) decide(b *batch, r *request, created int64) {
	var v verdict
	h, err := c.heads.get(r.stream)
	if err == nil {
		v, r.result, err = c.judge(h, r)
	}
	switch {
	case err != nil:
		r.err = fmt.Errorf("append to %s: %w", r.stream, err)
	case v == repeated:
		c.log.counters.repeats.Add(1)
	case v == conflict:
		c.log.counters.conflicts.Add(1)
		r.err = &domain.ConflictError{Stream: r.stream, Expected: r.expected, Actual: h.expected()}
	default:
		if len(r.events) > 0 {
			c.write(b, h, r, created)
		}
		if h.id != 0 {
			r.result = domain.Appended{Revision: h.next - 1, Position: h.last}
		}
	}
}

// write adds an accepted append to the batch and moves the head.
func (c *committer) write(b *batch, h *head, r *request, created int64) {
	if b.store == nil {
		b.store = c.log.db.NewBatch()
	}
	c.heads.write(r.stream, h)
	if h.id == 0 {
		c.streams++
		h.id = c.streams
		putNumber(b.store, appendNameKey(make([]byte, 0, 64), r.stream), h.id)
	}
	rec := &record{
		first: c.position + 1, streamID: h.id, stream: r.stream, revision: h.next,
		created: created, events: r.events, size: len(r.body),
	}
	c.putRecord(b.store, rec, r.body)
	if r.expected < domain.NoStream {
		c.indexNew(b.store, h, rec)
	}
	c.position = rec.last()
	h.add(c.batchNumber, rec)
	b.records, b.events = append(b.records, rec), b.events+len(r.events)
}

// putRecord adds the record and its stream entry.
func (c *committer) putRecord(store *pebble.Batch, rec *record, body []byte) {
	header := appendHeader(c.scratch[:0], rec)
	op := store.SetDeferred(eventsKeyLen, len(header)+len(body))
	appendEventsKey(op.Key[:0], rec.first)
	copy(op.Value[copy(op.Value, header):], body)
	seal(op.Key, op.Value)
	_ = op.Finish()
	c.scratch = header[:0]

	value := appendStreamEntry(c.scratch[:0], streamEntry{position: rec.first, count: uint64(len(rec.events))})
	op = store.SetDeferred(streamKeyLen, len(value))
	appendStreamKey(op.Key[:0], rec.streamID, rec.revision)
	copy(op.Value, value)
	_ = op.Finish()
}

// indexNew adds the new events to the stream's index by id, which judgeByID brought up to
// the head just before.
func (c *committer) indexNew(store *pebble.Batch, h *head, rec *record) {
	if h.indexed != rec.revision {
		return // exact appends came in between, in this batch; the next lookup catches up
	}
	for i, e := range rec.events {
		putNumber(store, appendIDKey(make([]byte, 0, idKeyLen), h.id, e.ID), rec.revision+uint64(i)+1)
	}
	h.indexed = rec.revision + uint64(len(rec.events))
	putNumber(store, appendIndexedKey(make([]byte, 0, 9), h.id), h.indexed)
}

// apply writes the batch to the store's write-ahead log, without waiting for the sync.
func (c *committer) apply(b *batch) {
	if c.log.err() != nil {
		return // the finisher refuses the batch
	}
	var err error
	if c.log.cfg.NoSync {
		err = c.log.db.Apply(b.store, noSync)
	} else {
		err = c.log.db.ApplyNoSyncWait(b.store, pebble.Sync)
	}
	if err != nil {
		c.log.fail(err)
	}
}

// finish waits until the batch is durable, shows it to readers and answers its requests. A
// batch that could not be written is never shown, nor any after it.
func (l *Log) finish(b *batch) {
	err := l.err()
	if err == nil && b.store != nil {
		start := time.Now()
		if !l.cfg.NoSync {
			if err := b.store.SyncWait(); err != nil {
				l.fail(err)
			}
		}
		// Pebble reports some failed writes only to its logger, which makes the log fail.
		if err = l.err(); err == nil {
			_ = b.store.Close() // only returns memory
			l.counters.observe(b, time.Since(start))
			l.durable.Store(uint64(b.last))
			l.tail.publish(b.records)
			if !l.cfg.NoSync {
				select {
				case l.unmarked <- struct{}{}:
				default:
				}
			}
		}
	}
	for _, r := range b.replies {
		if err != nil {
			r.result, r.err = domain.Appended{}, fmt.Errorf("append to %s, outcome unknown: %w", r.stream, err)
		}
		r.reply()
	}
}
