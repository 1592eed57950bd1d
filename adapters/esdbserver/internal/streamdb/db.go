package streamdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// Config is what a [DB] needs.
type Config struct {
	// Log holds the events.
	Log domain.Log
	// Now is the clock by which $maxAge is judged.
	Now func() time.Time
	// StreamsCached is how many streams' metadata are remembered, and IDsRemembered how many
	// event ids, for the appends that name no revision.
	StreamsCached, IDsRemembered int
	// TailEvents and TailBytes bound the newest events held for live subscribers.
	TailEvents, TailBytes int
	// AppendLimit is how large one append may be, in bytes as [domain.NewEvent.Size] counts them.
	// It is used only if the log is a [domain.AppendBeginner]. Default [domain.MaxAppendSize].
	AppendLimit int
	// MetadataChanged is called for each stream whose metadata was written, by this DB or by
	// others, while [DB.Run] runs. It must not block. nil is fine.
	MetadataChanged func(stream string)
}

// DB applies EventStoreDB's stream rules to a log. Its methods are safe to call
// concurrently. Live subscribers make progress only while [DB.Run] runs.
type DB struct {
	log   domain.Log
	limit int
	// metadataChanged is never nil.
	metadataChanged func(stream string)
	now             func() time.Time
	infos           *infoCache
	ids             *recentIDs
	tail            *tail
	index           *virtualIndex
	seed            maphash.Seed
	// locks has a lock for each stream, which several streams may share. An ordinary append holds
	// it shared; a deletion, and everything else that takes more than one append, holds it
	// exclusively.
	locks [256]sync.RWMutex
}

// New returns a DB over the log.
func New(cfg Config) *DB {
	if cfg.MetadataChanged == nil {
		cfg.MetadataChanged = func(string) {}
	}
	return &DB{
		metadataChanged: cfg.MetadataChanged,
		log:             cfg.Log, limit: cmp.Or(cfg.AppendLimit, domain.MaxAppendSize), now: cfg.Now, seed: maphash.MakeSeed(),
		infos: newInfoCache(cfg.StreamsCached), ids: newRecentIDs(cfg.IDsRemembered),
		tail: newTail(cfg.TailEvents, cfg.TailBytes), index: newVirtualIndex(),
	}
}

// Open finds the end of the log, where [DB.Run] begins to follow it. Call it first.
func (db *DB) Open(ctx context.Context) error {
	end, err := db.EndPosition(ctx)
	if err != nil {
		return fmt.Errorf("find the end of the log: %w", err)
	}
	db.tail.reset(end)
	return nil
}

// Run follows the log on behalf of live subscribers until ctx ends, and then returns nil.
// When following fails it returns the error, and may be called again: it goes on where it
// stopped.
func (db *DB) Run(ctx context.Context) error {
	for d, err := range db.log.Subscribe(ctx, db.tail.end(), domain.Filter{}) {
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("follow the log: %w", err)
		case d.Event != nil:
			db.infos.observe(d.Event.Stream, d.Event.Type)
			db.tail.add(*d.Event)
			if IsMetastream(d.Event.Stream) {
				db.metadataChanged(OriginalOf(d.Event.Stream))
			}
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("follow the log: the subscription ended")
}
