package pebblelog

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/atonehq/atone/domain"
)

// head is what the committer knows of a stream.
type head struct {
	id   uint64 // 0: the stream does not exist
	next uint64 // the revision of the next event
	last domain.Position
	// indexed is how many of the stream's events are found by id.
	indexed uint64
	// pending is what the batch with this number writes to the stream: the store does not
	// have it before the batch is complete.
	batch   uint64
	pending []*record
}

// inBatch returns what the batch that is being built writes to the stream.
func (h *head) inBatch(number uint64) []*record {
	if h.batch != number {
		return nil
	}
	return h.pending
}

// add moves the head over a record of the batch with this number.
func (h *head) add(number uint64, r *record) {
	if h.batch != number {
		h.batch, h.pending = number, nil
	}
	h.pending = append(h.pending, r)
	h.next, h.last = r.revision+uint64(len(r.events)), r.last()
}

// expected is the stream's last revision as [domain.ConflictError.Actual] has it.
func (h *head) expected() domain.Expected {
	if h.id == 0 {
		return domain.NoStream
	}
	return domain.Expected(h.next) - 1
}

// heads knows where streams end: those that the batch under way writes to, and those that were used
// lately. Only the committer uses it.
type heads struct {
	lately *simplelru.LRU[string, *head]
	// writing are the streams of the batch under way. The store does not have that batch yet, so
	// they are kept until it does, however many they are.
	writing map[string]*head
	lookup  func(name string) (*head, error)
}

// newHeads returns heads that remember limit streams, at least one.
func newHeads(limit int, lookup func(string) (*head, error)) (*heads, error) {
	lately, err := simplelru.NewLRU[string, *head](limit, nil)
	return &heads{lately: lately, writing: map[string]*head{}, lookup: lookup}, err
}

// get returns the stream's head, for the caller to look at.
func (c *heads) get(name string) (*head, error) {
	if h, ok := c.writing[name]; ok {
		return h, nil
	}
	if h, ok := c.lately.Get(name); ok {
		return h, nil
	}
	h, err := c.lookup(name)
	if err == nil {
		c.lately.Add(name, h)
	}
	return h, err
}

// write says that the batch under way writes to the stream: the caller changes its head.
func (c *heads) write(name string, h *head) { c.writing[name] = h }

// written says that the store has the batch that was under way.
func (c *heads) written() {
	for name, h := range c.writing {
		c.lately.Add(name, h)
	}
	clear(c.writing)
}

// lookupHead reads the stream's head from the store.
func (l *Log) lookupHead(name string) (*head, error) {
	id, err := l.streamID(name)
	if err != nil || id == 0 {
		return &head{}, err
	}
	iter, err := l.db.NewIter(&pebble.IterOptions{
		LowerBound: appendStreamKey(nil, id, 0), UpperBound: appendStreamKey(nil, id+1, 0),
	})
	if err != nil {
		return nil, l.damaged(err, &CorruptionError{Stream: name})
	}
	defer iter.Close()
	if !iter.Last() {
		return nil, l.damaged(iter.Error(), &CorruptionError{Stream: name, Err: errors.New("the stream has a name and no events")})
	}
	_, revision, err := parseStreamKey(iter.Key())
	if err != nil {
		return nil, &CorruptionError{Stream: name, Err: err}
	}
	entry, err := parseStreamEntry(iter.Value())
	if err != nil {
		return nil, &CorruptionError{Stream: name, Err: err}
	}
	h := &head{id: id, next: revision + entry.count, last: entry.position + domain.Position(entry.count) - 1}
	h.indexed, err = l.number(appendIndexedKey(nil, id))
	return h, err
}

// streamID returns the stream's number, 0 when it does not exist.
func (l *Log) streamID(name string) (uint64, error) {
	id, err := l.number(appendNameKey(make([]byte, 0, 64), name))
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	return id, nil
}

// number reads an entry whose value is a number, 0 when there is none. Most entries that are
// looked up do not exist: they are names of new streams and ids of new events. An
// iterator is used because Get ignores the Bloom filters of the last level, where most of
// the data is, and would read a block for each of them.
func (l *Log) number(key []byte) (n uint64, err error) {
	it, err := l.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return 0, l.damaged(err, &CorruptionError{})
	}
	defer it.Close()
	if !it.SeekPrefixGE(key) {
		return 0, l.iterError(it, "")
	}
	if n, err = parseUint64(it.Value()); err != nil {
		return 0, &CorruptionError{Err: err}
	}
	return n, nil
}

// newestPosition finds the last position that the store holds.
func (l *Log) newestPosition() (domain.Position, error) {
	return l.newestRecord(&pebble.IterOptions{})
}

// newestRecord returns the position of the last event that an iterator with the options sees; 0 if
// there is none.
func (l *Log) newestRecord(opts *pebble.IterOptions) (newest domain.Position, err error) {
	err = l.lastEntry(kindEvents, opts, func(key, value []byte) error {
		h, err := decodeHead(key, value)
		if err != nil {
			first, _ := parseEventsKey(key)
			return &CorruptionError{Position: first, Err: err}
		}
		newest = h.last()
		return nil
	})
	return newest, err
}

// newestStream finds the highest number that a stream has.
func (l *Log) newestStream() (newest uint64, err error) {
	err = l.lastEntry(kindStream, &pebble.IterOptions{}, func(key, _ []byte) error {
		id, _, err := parseStreamKey(key)
		if err != nil {
			return &CorruptionError{Err: err}
		}
		newest = id
		return nil
	})
	return newest, err
}

// lastEntry calls f with the last entry of a kind that an iterator with the options sees, if there
// is one.
func (l *Log) lastEntry(kind byte, opts *pebble.IterOptions, f func(key, value []byte) error) error {
	bounds := kindOptions(kind)
	opts.LowerBound, opts.UpperBound = bounds.LowerBound, bounds.UpperBound
	iter, err := l.db.NewIter(opts)
	if err != nil {
		return err
	}
	defer iter.Close()
	if iter.Last() {
		return f(iter.Key(), iter.Value())
	}
	if err := iter.Error(); err != nil {
		return l.damaged(err, &CorruptionError{})
	}
	return nil
}
