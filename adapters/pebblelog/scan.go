package pebblelog

import (
	"errors"
	"iter"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/domain"
)

// Reads work in chunks, so that a slow consumer holds up no compaction and no Close. A chunk
// begins small, for those who want only a few events, and grows.
const (
	firstChunk    = 8
	largestChunk  = 1024
	maxChunkBytes = 1 << 20
)

// chunk is a part of a read: records, and whether there may be more behind them.
type chunk struct {
	records []*record
	more    bool
	// considered is, for reads of the whole log, the position up to which (inclusively) it
	// was searched.
	considered domain.Position
}

// streamEvents yields the stream's events from the revision on, up to the newest one in the
// store, synced or not.
func (l *Log) streamEvents(id uint64, name string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var d decoder
		for n := firstChunk; ; n = min(n*4, largestChunk) {
			c, err := l.streamForward(&d, id, name, from, math.MaxInt64, n)
			if err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			for _, r := range c.records {
				for i := range r.events {
					if r.revision+uint64(i) < from {
						continue
					}
					from = r.revision + uint64(i) + 1
					if !yield(r.at(i), nil) {
						return
					}
				}
			}
			if !c.more {
				return
			}
		}
	}
}

// streamForward reads at most n records of the stream, beginning with the one that holds the
// revision, up to the position (inclusive).
func (l *Log) streamForward(d *decoder, id uint64, name string, from uint64, through domain.Position, n int) (chunk, error) {
	it, err := l.streamIter(id)
	if err != nil {
		return chunk{}, err
	}
	defer it.Close()
	valid := it.SeekLT(appendStreamKey(nil, id, min(from, math.MaxInt64)+1))
	if !valid {
		valid = it.First()
	}
	var c chunk
	want, bytes := uint64(math.MaxUint64), 0
	for ; valid; valid = it.Next() {
		r, end, err := l.streamRecord(d, it, id, name, through)
		if err != nil || end {
			return c, err
		}
		if want != math.MaxUint64 && r.revision != want {
			return c, &CorruptionError{Position: r.first, Stream: name, Err: errors.New("an append is missing before this one")}
		}
		want = r.revision + uint64(len(r.events))
		if want <= from {
			continue // the stream ends before from
		}
		c.records = append(c.records, r)
		if bytes += r.cost(); len(c.records) == n || bytes > maxChunkBytes {
			c.more = true
			return c, nil
		}
	}
	return c, l.iterError(it, name)
}

// streamBackward reads at most n records of the stream, newest first, beginning with the one
// that holds the revision. Records after the position are passed over.
func (l *Log) streamBackward(d *decoder, id uint64, name string, from uint64, through domain.Position, n int) (chunk, error) {
	it, err := l.streamIter(id)
	if err != nil {
		return chunk{}, err
	}
	defer it.Close()
	var c chunk
	bytes := 0
	for valid := it.SeekLT(appendStreamKey(nil, id, min(from, math.MaxInt64)+1)); valid; valid = it.Prev() {
		r, later, err := l.streamRecord(d, it, id, name, through)
		if err != nil {
			return c, err
		}
		if later {
			continue
		}
		if k := len(c.records); k > 0 && r.revision+uint64(len(r.events)) != c.records[k-1].revision {
			return c, &CorruptionError{Position: r.last() + 1, Stream: name, Err: errors.New("an append is missing after this one")}
		}
		c.records = append(c.records, r)
		if bytes += r.cost(); len(c.records) == n || bytes > maxChunkBytes {
			c.more = r.revision > 0
			return c, nil
		}
	}
	return c, l.iterError(it, name)
}

func (l *Log) streamIter(id uint64) (*pebble.Iterator, error) {
	it, err := l.db.NewIter(&pebble.IterOptions{
		LowerBound: appendStreamKey(nil, id, 0), UpperBound: appendStreamKey(nil, id+1, 0),
	})
	if err != nil {
		return nil, l.damaged(err, &CorruptionError{})
	}
	return it, nil
}

// iterError is what ended the iterator early, if anything.
func (l *Log) iterError(it *pebble.Iterator, stream string) error {
	if err := it.Error(); err != nil {
		return l.damaged(err, &CorruptionError{Stream: stream})
	}
	return nil
}

// streamRecord loads the record that the stream entry under the iterator names; later is
// true, and nothing loaded, when it lies after the position.
func (l *Log) streamRecord(d *decoder, it *pebble.Iterator, id uint64, name string, through domain.Position) (r *record, later bool, err error) {
	_, revision, err := parseStreamKey(it.Key())
	if err != nil {
		return nil, false, &CorruptionError{Stream: name, Err: err}
	}
	entry, err := parseStreamEntry(it.Value())
	if err != nil {
		return nil, false, &CorruptionError{Stream: name, Err: err}
	}
	if entry.position > through {
		return nil, true, nil
	}
	if r, err = l.record(d, entry.position); err != nil {
		return nil, false, err
	}
	if r.streamID != id || r.stream != name || r.revision != revision || uint64(len(r.events)) != entry.count {
		return nil, false, &CorruptionError{Position: entry.position, Stream: name, Err: errors.New("the record is not the one that the stream names")}
	}
	return r, false, nil
}

// record loads the record that begins at the position.
func (l *Log) record(d *decoder, first domain.Position) (*record, error) {
	key := appendEventsKey(make([]byte, 0, eventsKeyLen), first)
	value, closer, err := l.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, &CorruptionError{Position: first, Err: errors.New("the record is missing")}
	}
	if err != nil {
		return nil, l.damaged(err, &CorruptionError{Position: first})
	}
	defer closer.Close()
	h, err := decodeHead(key, value)
	if err != nil {
		return nil, &CorruptionError{Position: first, Err: err}
	}
	r, err := l.large.decode(d, h)
	if err != nil {
		return nil, &CorruptionError{Position: first, Err: err}
	}
	return r, nil
}

// allForward reads the records of the log that the filter selects, among at most n,
// beginning with the one that holds the position from, up to the position through
// (inclusive), which must be in the store.
func (l *Log) allForward(d *decoder, from, through domain.Position, filter domain.Filter, n int) (chunk, error) {
	c := chunk{considered: from - 1}
	if from > through {
		return c, nil
	}
	it, err := l.db.NewIter(kindOptions(kindEvents))
	if err != nil {
		return c, l.damaged(err, &CorruptionError{Position: from})
	}
	defer it.Close()
	valid := it.SeekLT(appendEventsKey(nil, from+1))
	if !valid && it.Error() == nil {
		valid = it.First()
	}
	bytes := 0
	for seen := 0; c.considered < through; seen++ {
		want := c.considered + 1
		if !valid {
			if it.Error() != nil {
				return c, l.damaged(it.Error(), &CorruptionError{Position: want})
			}
			return c, missing(want, through)
		}
		if seen == n || bytes > maxChunkBytes {
			c.more = true
			return c, nil
		}
		h, err := decodeHead(it.Key(), it.Value())
		if err != nil {
			return c, &CorruptionError{Position: want, Err: err}
		}
		if h.first > want {
			return c, missing(want, h.first-1)
		}
		if h.last() < want {
			return c, missing(want, 0)
		}
		if accepts(filter, h.stream) {
			r, err := l.large.decode(d, h)
			if err != nil {
				return c, &CorruptionError{Position: want, Err: err}
			}
			c.records = append(c.records, r)
			bytes += r.cost()
		}
		c.considered = h.last()
		valid = it.Next()
	}
	return c, nil
}

// allBackward reads the records that the filter selects, among at most n, newest first,
// beginning with the one that holds the position from.
func (l *Log) allBackward(d *decoder, from domain.Position, filter domain.Filter, n int) (chunk, error) {
	c := chunk{considered: from + 1}
	it, err := l.db.NewIter(kindOptions(kindEvents))
	if err != nil {
		return c, l.damaged(err, &CorruptionError{Position: from})
	}
	defer it.Close()
	valid := it.SeekLT(appendEventsKey(nil, from+1))
	bytes := 0
	for seen := 0; c.considered > 1; seen++ {
		want := c.considered - 1
		if !valid {
			if it.Error() != nil {
				return c, l.damaged(it.Error(), &CorruptionError{Position: want})
			}
			return c, missing(1, want)
		}
		if seen == n || bytes > maxChunkBytes {
			c.more = true
			return c, nil
		}
		h, err := decodeHead(it.Key(), it.Value())
		if err != nil {
			first, _ := parseEventsKey(it.Key())
			return c, &CorruptionError{Position: first, Through: want, Err: err}
		}
		if h.last() < want {
			return c, missing(h.last()+1, want)
		}
		if accepts(filter, h.stream) {
			r, err := l.large.decode(d, h)
			if err != nil {
				return c, &CorruptionError{Position: h.first, Err: err}
			}
			c.records = append(c.records, r)
			bytes += r.cost()
		}
		c.considered = h.first
		valid = it.Prev()
	}
	return c, nil
}

func missing(from, through domain.Position) error {
	return &CorruptionError{Position: from, Through: through, Err: errors.New("records are missing")}
}

// accepts is [domain.Filter.Accepts] for a name that is not a string yet.
func accepts(f domain.Filter, name []byte) bool {
	for _, p := range f.Prefixes {
		if len(name) >= len(p) && string(name[:len(p)]) == p {
			return true
		}
	}
	return len(f.Prefixes) == 0
}
