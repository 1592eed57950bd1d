package pebblelog

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/domain"
)

// checkReplayed makes sure that the records which are only in write-ahead logs follow on from those in the
// tables, and on one another. Pebble replays the logs that are there: where one other than the newest was
// removed or emptied, the end of the log is as it was, and what lay before it is missing. Reading it takes
// what was not yet written to tables, so some memtables' worth at most.
func (l *Log) checkReplayed() error {
	inTables, err := l.newestRecord(&pebble.IterOptions{OnlyReadGuaranteedDurable: true})
	if err != nil {
		return err
	}
	opts := kindOptions(kindEvents)
	opts.LowerBound = appendEventsKey(nil, inTables+1)
	iter, err := l.db.NewIter(opts)
	if err != nil {
		return err
	}
	defer iter.Close()
	next := inTables + 1
	for ok := iter.First(); ok; ok = iter.Next() {
		h, err := decodeHead(iter.Key(), iter.Value())
		if err != nil {
			return &CorruptionError{Position: next, Err: err}
		}
		if h.first != next {
			return &CorruptionError{Position: next, Through: h.first - 1, File: l.emptiedWAL(), Err: fmt.Errorf(
				"events %d to %d are missing, and later ones are there: a write-ahead log (*.log) that held them was removed, emptied or replaced",
				next, h.first-1)}
		}
		next = h.last() + 1
	}
	if err := iter.Error(); err != nil {
		return l.damaged(err, &CorruptionError{})
	}
	return nil
}

// emptiedWAL names a write-ahead log, other than the newest, that is empty; "" if there is none.
func (l *Log) emptiedWAL() string {
	for _, name := range l.olderWALs() {
		if info, err := l.cfg.FS.Stat(l.cfg.FS.PathJoin(l.dir, name)); err == nil && info.Size() == 0 {
			return name
		}
	}
	return ""
}

// olderWALs lists the write-ahead logs but the newest, oldest first.
func (l *Log) olderWALs() []string {
	names, err := l.cfg.FS.List(l.dir)
	if err != nil {
		return nil
	}
	newest, _ := newestWAL(names)
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".log") || name == newest })
	slices.Sort(names)
	return names
}

// newestRecord returns the position of the last event that an iterator with the options sees; 0 if there is none.
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

// damagedWAL names the first write-ahead log, other than the newest, that does not end as a closed one does; ""
// if there is none.
func (l *Log) damagedWAL() string {
	for _, name := range l.olderWALs() {
		if number, err := strconv.ParseUint(strings.TrimSuffix(name, ".log"), 10, 32); err == nil && !l.walCloses(name, uint32(number)) {
			return name
		}
	}
	return ""
}

// walCloses reports whether a write-ahead log is valid up to its trailer.
func (l *Log) walCloses(name string, number uint32) bool {
	f, err := l.cfg.FS.Open(l.cfg.FS.PathJoin(l.dir, name), vfs.SequentialReadsOption)
	if err != nil {
		return false
	}
	defer f.Close()
	block := make([]byte, walBlock)
	for {
		n, err := io.ReadFull(f, block)
		if err != nil && err != io.ErrUnexpectedEOF {
			return false
		}
		if at, ended := walSkipValid(block[:n], number); ended || at >= 0 {
			return ended
		}
	}
}
