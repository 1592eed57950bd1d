package pebblelog

import (
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/atonehq/atone/adapters/pebblelog/internal/mark"
	"github.com/atonehq/atone/adapters/pebblelog/internal/wal"
	"github.com/atonehq/atone/domain"
)

// Loss is what [AcceptLoss] found to be gone.
type Loss struct {
	// From and Through are the first and the last position that the log once had and has no more.
	// Both are 0 where nothing is known to be lost.
	From, Through domain.Position
	// File is the file of the directory that most likely had them, where events are lost; or the
	// damaged file MARK (DURABLE, of an earlier version), where it is not known whether any are.
	File string
}

// AcceptLoss makes a log usable again that [Open] refuses because acknowledged events at its end
// are gone ([CorruptionError] with Through set), or because its high-water mark can't be read. It
// is the last resort, where no backup or file system snapshot has the events: the runs that they
// belong to go on from an earlier event, and what was done since may be done again. New events get
// the positions of the lost ones.
//
// It changes nothing but the mark, and does nothing where nothing is lost. Other damage is an error
// as in [Open]. No process may have the directory open ([ErrLocked]).
func AcceptLoss(dir string, cfg Config) (Loss, error) {
	if err := cfg.Validate(); err != nil {
		return Loss{}, fmt.Errorf("accept the loss of log %s: %w", dir, err)
	}
	cfg.setDefaults()
	loss, err := acceptLoss(dir, cfg)
	if err != nil {
		return Loss{}, fmt.Errorf("accept the loss of log %s: %w", dir, err)
	}
	return loss, nil
}

func acceptLoss(dir string, cfg Config) (Loss, error) {
	l, err := openStore(dir, cfg, true)
	if err != nil {
		return Loss{}, err
	}
	newest, err := l.newestPosition()
	if err != nil {
		return Loss{}, errors.Join(err, closeStore(l.db))
	}
	err = l.checkMark(newest)
	if cerr := closeStore(l.db); err == nil || cerr != nil {
		return Loss{}, cerr
	}
	var damage *CorruptionError
	if !errors.As(err, &damage) {
		return Loss{}, err
	}
	return Loss{From: damage.Position, Through: damage.Through, File: damage.File}, mark.Replace(cfg.FS, dir, newest)
}

// precheck opens the log read-only and looks for losses: it compares the log's end with the mark,
// and the write-ahead logs with the tables. It must run before Pebble writes to the directory:
// Pebble removes files that it does not know, and these may still help.
func precheck(dir string, cfg Config) error {
	if _, err := readMark(cfg, dir); err != nil {
		return err
	}
	if formatted, err := checkFormat(cfg.FS, dir); err != nil || !formatted {
		return err
	}
	l, err := openStore(dir, cfg, true)
	if err != nil {
		return err
	}
	newest, err := l.newestPosition()
	if err == nil {
		err = l.checkMark(newest)
	}
	if err == nil {
		err = l.checkReplayed()
	}
	return errors.Join(err, closeStore(l.db))
}

// checkReplayed makes sure that the records which are only in write-ahead logs follow on from those
// in the tables, and on one another. Pebble replays only the logs that it finds: if an older one
// was removed or emptied, the log still ends where it did, with a gap before. The check reads only
// what is not in tables yet: a few memtables at most.
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
			return &CorruptionError{Position: next, Through: h.first - 1, File: l.firstOlderWAL(wal.File.Empty), Err: fmt.Errorf(
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

// markEvery is how long after an event became durable the mark names it. So a loss of what was
// acknowledged in the last second before an unclean stop may go unnoticed.
const markEvery = 500 * time.Millisecond

// readMark returns the position that the log in the directory must not end before.
func readMark(cfg Config, dir string) (domain.Position, error) {
	marked, err := mark.Read(cfg.FS, dir)
	var damaged *mark.DamagedError
	if errors.As(err, &damaged) {
		return 0, &CorruptionError{File: damaged.File, Err: damaged, Remedy: remedyMark}
	}
	return marked, err
}

// checkMark makes sure that the log goes as far as it once did.
func (l *Log) checkMark(newest domain.Position) error {
	marked, err := readMark(l.cfg, l.dir)
	if err != nil || newest >= marked {
		return err
	}
	return &CorruptionError{Position: newest + 1, Through: marked, File: l.endsIn(), Remedy: remedyLoss, Err: fmt.Errorf(
		"the log ends at position %d, but events up to position %d were on disk and acknowledged: %d events are gone, "+
			"most likely because this file was cut or replaced", newest, marked, marked-newest)}
}

// keepMark moves the mark after the log until the log is closed or fails. It works on each token
// from l.unmarked, which says that something became durable; with NoSync there are no tokens,
// because nothing is known to be on disk before the log is closed.
func (l *Log) keepMark() {
	defer close(l.marked)
	every := l.cfg.markEvery
	if every == 0 {
		every = markEvery
	}
	for {
		select {
		case <-l.unmarked:
		case <-l.done:
			return
		case <-l.failed:
			return
		}
		timer := time.NewTimer(every)
		select {
		case <-timer.C:
		case <-l.done:
			timer.Stop()
			return
		case <-l.failed:
			timer.Stop()
			return
		}
		if err := l.mark.Advance(domain.Position(l.durable.Load())); err != nil {
			l.fail(fmt.Errorf("write the file %s: %w", mark.File, err))
			return
		}
	}
}
