package streamdb

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

const (
	// indexEvery is the number of links between two remembered places of a computed stream.
	indexEvery = 1024
	// indexedStreams bounds how many computed streams' places are remembered.
	indexedStreams = 1024
)

// linkNamespace makes the ids of computed links: the same link always has the same id.
var linkNamespace = uuid.MustParse("7c3a0f6e-5d0b-5c64-9d4e-0f6d2d6f3c11")

// typeDeleted is the type under which $et- lists what deletes a stream, softly or for ever.
const typeDeleted = "$deleted"

// linked reports whether the computed stream has a link to the event. The rules are those of
// EventStoreDB's projections: an event that deletes a stream, softly or for ever, is in the
// stream's category and of the type $deleted. Other events of system streams are in no category. A
// link is in its stream's category, and of no type.
func linked(virtual string, event *domain.Recorded) bool {
	stream, deletes := deletedBy(event)
	if eventType, ok := strings.CutPrefix(virtual, typePrefix); ok {
		if deletes {
			return eventType == typeDeleted
		}
		return event.Type != TypeLink && event.Type == eventType
	}
	category, _, dashed := strings.Cut(stream, "-")
	return dashed && !IsSystem(stream) && category == virtual[len(categoryPrefix):]
}

// deletedBy returns the stream that the event deletes, or else the one that it is in.
func deletedBy(event *domain.Recorded) (stream string, deletes bool) {
	switch {
	case event.Type == TypeTombstone:
		return event.Stream, true
	case event.Type == TypeMetadata && IsMetastream(event.Stream):
		if tb := ParseMetadata(event.Data).TruncateBefore; tb != nil && *tb == Tombstoned {
			return OriginalOf(event.Stream), true
		}
	}
	return event.Stream, false
}

// filterOf narrows the reading for a computed stream as far as the log can.
func filterOf(virtual string) domain.Filter {
	if category, ok := strings.CutPrefix(virtual, categoryPrefix); ok {
		return domain.Filter{Prefixes: []string{category + "-", MetastreamOf(category + "-")}}
	}
	return domain.Filter{}
}

// link returns the computed link to the event, or to what it points to where it is a link.
func link(virtual string, number uint64, event *domain.Recorded) domain.Recorded {
	data := fmt.Appendf(nil, "%d@%s", Present(*event).Revision, event.Stream)
	if event.Type == TypeLink {
		data = event.Data
	}
	return domain.Recorded{
		NewEvent: domain.NewEvent{
			ID:   linkID(virtual, event, data),
			Type: TypeLink, Data: data,
		},
		Stream: virtual, Revision: number, Position: event.Position, Created: event.Created,
	}
}

// linkID always returns the same id for the same link. Two links to one event, which apps can make,
// have different ids.
func linkID(virtual string, event *domain.Recorded, data []byte) uuid.UUID {
	name := append([]byte(virtual+"\x00"), data...)
	if event.Type == TypeLink {
		name = fmt.Appendf(name, "\x00%d@%s", event.Revision, event.Stream)
	}
	return uuid.NewSHA1(linkNamespace, name)
}

// virtualIndex remembers, for computed streams, the position before every 1024th link, so that
// reading from the middle does not count from the log's beginning each time. Events are
// never removed from the log, so what is remembered stays true.
type virtualIndex struct {
	mu      sync.Mutex
	streams map[string]*places
}

type places struct {
	// after[i] is a position before link number i*indexEvery, and not before any earlier link.
	after []domain.Position
	// Up to the position counted, the stream has count links.
	counted domain.Position
	count   int64
}

func newVirtualIndex() *virtualIndex { return &virtualIndex{streams: map[string]*places{}} }

// before returns a place at or before the link of that number: the links after the
// position have the numbers from first on.
func (x *virtualIndex) before(stream string, number uint64) (after domain.Position, first uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.streams[stream]
	if p == nil {
		return 0, 0
	}
	if number >= uint64(p.count) {
		return p.counted, uint64(p.count)
	}
	i := number / indexEvery
	return p.after[i], i * indexEvery
}

// note remembers that the link of that number is at the position.
func (x *virtualIndex) note(stream string, number uint64, at domain.Position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.streams[stream]
	if p == nil {
		if len(x.streams) >= indexedStreams {
			clear(x.streams)
		}
		p = &places{}
		x.streams[stream] = p
	}
	if int64(number) != p.count {
		return // known already, or forgotten meanwhile
	}
	if number%indexEvery == 0 {
		p.after = append(p.after, p.counted)
	}
	p.count, p.counted = int64(number)+1, at
}

// searched remembers that no link follows up to the position.
func (x *virtualIndex) searched(stream string, count uint64, upTo domain.Position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if p := x.streams[stream]; p != nil && p.count == int64(count) && upTo > p.counted {
		p.counted = upTo
	}
}

// countVirtual returns how many links the computed stream has.
func (db *DB) countVirtual(ctx context.Context, stream string) (int64, error) {
	end, err := db.EndPosition(ctx)
	if err != nil {
		return 0, err
	}
	after, count := db.index.before(stream, domain.End)
	for event, err := range db.log.ReadAll(ctx, after, filterOf(stream)) {
		if err != nil {
			return 0, err
		}
		if linked(stream, &event) {
			db.index.note(stream, count, event.Position)
			count++
		}
	}
	db.index.searched(stream, count, end)
	return int64(count), nil
}

func (db *DB) virtualForward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		after, number := db.index.before(stream, from)
		for event, err := range db.log.ReadAll(ctx, after, filterOf(stream)) {
			if err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if !linked(stream, &event) {
				continue
			}
			db.index.note(stream, number, event.Position)
			if number >= from && !yield(link(stream, number, &event), nil) {
				return
			}
			number++
		}
	}
}

// virtualBackward finds the link of that number, then reads back from it.
func (db *DB) virtualBackward(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		var before domain.Position
		for event, err := range db.virtualForward(ctx, stream, from) {
			if before = event.Position; err != nil || !yield(event, err) {
				return
			}
			break
		}
		number := from
		if before == 0 || number == 0 {
			return
		}
		number--
		for event, err := range db.log.ReadAllBackward(ctx, before, filterOf(stream)) {
			if err != nil {
				yield(domain.Recorded{}, err)
				return
			}
			if !linked(stream, &event) {
				continue
			}
			if !yield(link(stream, number, &event), nil) || number == 0 {
				return
			}
			number--
		}
	}
}
