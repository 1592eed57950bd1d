package pebblelog

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/domain"
)

// Report is what a check of a whole log found.
type Report struct {
	// Events, Appends and Streams count what is there and can be read.
	Events, Appends, Streams uint64
	// Last is the position of the last event.
	Last domain.Position
	// Problems lists the damage, in the order of positions; empty for a sound log.
	Problems []*CorruptionError
}

// Verify checks the log in a directory that no process has open, and changes nothing. It
// reads everything: each record's checksum, that no position and no revision is missing, and
// that records and streams name each other. Damage is in the report; the error tells why
// the check could not be made or finished. Damage that prevents opening the log is both.
// It takes some 50 bytes of memory for each stream.
func Verify(ctx context.Context, dir string) (Report, error) { return VerifyConfig(ctx, dir, Config{}) }

// VerifyConfig is [Verify] with a file system, a logger and a cache size of the caller's.
func VerifyConfig(ctx context.Context, dir string, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, fmt.Errorf("verify log %s: %w", dir, err)
	}
	cfg.setDefaults()
	l, err := openStore(dir, cfg, true)
	var damage *CorruptionError
	if errors.As(err, &damage) {
		return Report{Problems: []*CorruptionError{damage}}, fmt.Errorf("verify log %s: %w", dir, err)
	}
	if err != nil {
		return Report{}, fmt.Errorf("verify log %s: %w", dir, err)
	}
	c := checker{log: l}
	last, err := l.newestPosition()
	if !c.problem(err) && err != nil {
		return c.report, errors.Join(err, closeStore(l.db))
	}
	if err == nil {
		if err := l.checkMark(last); err != nil && !c.problem(err) {
			return c.report, errors.Join(err, closeStore(l.db))
		}
	}
	if err != nil {
		last = math.MaxInt64 // the last record is damaged: go as far as there is something
	}
	err = c.run(ctx, last)
	return c.report, errors.Join(err, closeStore(l.db))
}

// Check is [Verify] for a log that is open, up to its last durable event. Appends go on
// meanwhile.
func (l *Log) Check(ctx context.Context) (Report, error) {
	c := checker{log: l}
	err := c.run(ctx, l.readable())
	return c.report, err
}

// checker looks at everything in a log.
type checker struct {
	log    *Log
	report Report
	// next is, for each stream met, the revision that comes next.
	next map[uint64]uint64
	// blind is set when the table that holds names and streams is damaged: more lookups would
	// only meet the same damage, and each costs Pebble a long search for a flipped bit.
	blind bool
}

// problem notes damage; it reports false for other errors.
func (c *checker) problem(err error) bool {
	var damage *CorruptionError
	if !errors.As(err, &damage) {
		return false
	}
	if damage.Through == math.MaxInt64 {
		return true // the end of a log whose last position could not be read
	}
	for _, known := range c.report.Problems {
		if known.Position == damage.Position && known.Stream == damage.Stream {
			return true
		}
	}
	c.report.Problems = append(c.report.Problems, damage)
	return true
}

func (c *checker) run(ctx context.Context, through domain.Position) error {
	c.next = make(map[uint64]uint64)
	var d decoder
	for position := domain.Position(1); position <= through; {
		chunk, err := c.log.guarded(ctx, func() (chunk, error) {
			chunk, err := c.log.allForward(&d, position, through, domain.Filter{}, largestChunk)
			for _, r := range chunk.records {
				if err := c.record(r); err != nil && !c.problem(err) {
					return chunk, err
				}
			}
			return chunk, err
		})
		position = chunk.considered + 1
		switch {
		case err == nil:
		case !c.problem(err):
			return err
		default:
			if position, err = c.skip(ctx, position, through); err != nil {
				return err
			}
			if position == 0 {
				return nil
			}
		}
	}
	return nil
}

// record checks that the stream names the record, and the record its stream.
func (c *checker) record(r *record) error {
	c.report.Appends++
	c.report.Events += uint64(len(r.events))
	c.report.Last = r.last()
	if r.revision == 0 {
		c.report.Streams++
	}
	want, met := c.next[r.streamID]
	c.next[r.streamID] = r.revision + uint64(len(r.events))
	if (met && want != r.revision) || (!met && r.revision != 0) {
		return &CorruptionError{Position: r.first, Stream: r.stream, Err: fmt.Errorf("revision %d follows where %d should", r.revision, want)}
	}
	if c.blind {
		return nil
	}
	err := c.lookups(r)
	c.blind = err != nil && pebble.IsCorruptionError(err)
	return err
}

// lookups checks that the record is found by its stream's name and by its revision.
func (c *checker) lookups(r *record) error {
	if r.revision == 0 {
		id, err := c.log.streamID(r.stream)
		if err != nil {
			return err
		}
		if id != r.streamID {
			return &CorruptionError{Position: r.first, Stream: r.stream, Err: fmt.Errorf("the stream's name leads to stream %d instead of %d", id, r.streamID)}
		}
	}
	found, err := c.log.streamForward(&decoder{}, r.streamID, r.stream, r.revision, r.last(), 1)
	if err != nil {
		return err
	}
	if len(found.records) != 1 || found.records[0].first != r.first {
		return &CorruptionError{Position: r.first, Stream: r.stream, Err: errors.New("the stream does not name the record")}
	}
	return nil
}

// skip finds the next position after the damage at which a record begins; 0 when there is none.
func (c *checker) skip(ctx context.Context, damaged, through domain.Position) (domain.Position, error) {
	damage := c.report.Problems[len(c.report.Problems)-1]
	for step := domain.Position(1); ; step *= 2 {
		var found domain.Position
		_, err := c.log.guarded(ctx, func() (chunk, error) {
			it, err := c.log.db.NewIter(kindOptions(kindEvents))
			if err != nil {
				return chunk{}, err
			}
			defer it.Close()
			if it.SeekGE(appendEventsKey(nil, damaged+step)) {
				found, err = parseEventsKey(it.Key())
				return chunk{}, err
			}
			if it.Error() == nil {
				return chunk{}, errNoMore
			}
			return chunk{}, nil // this part can't be read either
		})
		switch {
		case errors.Is(err, errNoMore) || (err == nil && damaged+step > through):
			return 0, nil
		case err != nil:
			return 0, err
		case found > 0:
			damage.Through = max(damage.Through, found-1)
			return found, nil
		}
	}
}

var errNoMore = errors.New("no more records")
