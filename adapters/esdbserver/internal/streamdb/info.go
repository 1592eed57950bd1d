package streamdb

import (
	"context"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/atonehq/atone/domain"
)

// info is what is remembered of a stream between requests. Only things that change
// rarely are in it; the head of a stream is always asked of the log.
type info struct {
	tombstoned bool
	meta       Metadata
	rawMeta    []byte
	// metaRevision is the metastream's last event number, or -1.
	metaRevision int64
}

func (i *info) softDeleted() bool {
	return !i.tombstoned && i.meta.TruncateBefore != nil && *i.meta.TruncateBefore == Tombstoned
}

// infoCache remembers streams' info. An entry is dropped whenever an event that may
// change it is written here or seen in the log; load never stores what it read while such
// an event passed.
type infoCache struct {
	mu       sync.Mutex
	byStream *simplelru.LRU[string, *info]
	changes  uint64
}

func newInfoCache(limit int) *infoCache {
	byStream, _ := simplelru.NewLRU[string, *info](max(limit, 1), nil) // valid size
	return &infoCache{byStream: byStream}
}

func (c *infoCache) get(stream string) (*info, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, _ := c.byStream.Get(stream)
	return i, c.changes
}

func (c *infoCache) store(stream string, i *info, asOf uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == asOf {
		c.byStream.Add(stream, i)
	}
}

func (c *infoCache) drop(stream string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	c.byStream.Remove(stream)
}

// observe drops what the event makes out of date.
func (c *infoCache) observe(stream, eventType string) {
	if i, _ := c.get(stream); i != nil && i.softDeleted() {
		c.drop(stream) // the stream goes on
	}
	if IsMetastream(stream) {
		c.drop(OriginalOf(stream))
	}
	if eventType == TypeTombstone {
		c.drop(stream)
	}
}

var (
	one         = int64(1)
	metaOfMeta  = Metadata{MaxCount: &one}
	noMetaEvent = int64(-1)
)

// info returns what is known of the stream, reading the log if need be.
func (db *DB) info(ctx context.Context, stream string) (*info, error) {
	cached, asOf := db.infos.get(stream)
	if cached != nil {
		return cached, nil
	}
	i := &info{metaRevision: noMetaEvent}
	head, found, err := db.last(ctx, stream)
	if err != nil {
		return nil, err
	}
	i.tombstoned = found && head.Type == TypeTombstone
	if IsMetastream(stream) {
		i.meta = metaOfMeta
	} else {
		event, found, err := db.last(ctx, MetastreamOf(stream))
		if err != nil {
			return nil, err
		}
		if found && event.Type != TypeTombstone {
			i.meta, i.rawMeta = ParseMetadata(event.Data), event.Data
			i.metaRevision = int64(event.Revision)
			if i.softDeleted() && head.Position > event.Position {
				i.meta.TruncateBefore, err = db.firstAfter(ctx, stream, event.Position)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	db.infos.store(stream, i, asOf)
	return i, nil
}

// firstAfter returns the number of the stream's first event after the position. A softly deleted
// stream goes on there if an event was appended after the deletion and the metadata do not say so,
// or not yet.
func (db *DB) firstAfter(ctx context.Context, stream string, position domain.Position) (*int64, error) {
	var first int64
	for event, err := range db.log.ReadStreamBackward(ctx, stream, domain.End) {
		if err != nil {
			return nil, err
		}
		if event.Position < position {
			break
		}
		first = int64(event.Revision)
	}
	return &first, nil
}
