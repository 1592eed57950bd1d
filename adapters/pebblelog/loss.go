package pebblelog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Loss is what [AcceptLoss] found to be gone.
type Loss struct {
	// From and Through are the first and the last position that the log once had and has no more. Both are
	// 0 where nothing is known to be lost.
	From, Through domain.Position
	// File is the file of the directory that most likely had them, where events are lost; or the damaged
	// file MARK (DURABLE, of an earlier version), where it is not known whether any are.
	File string
}

// AcceptLoss makes a log usable again that [Open] refuses because acknowledged events at its end are gone
// ([CorruptionError] with Through set), or because its high-water mark can't be read. It is the last resort,
// where no backup or file system snapshot has the events: the runs that they belong to go on from an earlier
// event, and what was done since may be done again. New events get the positions of the lost ones.
//
// It changes nothing but the mark, and does nothing where nothing is lost. Other damage is an error as in [Open]. No
// process may have the directory open ([ErrLocked]).
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
	return Loss{From: damage.Position, Through: damage.Through, File: damage.File}, writeMark(cfg.FS, dir, newest)
}

// precheck opens the log for reading only and compares it with its mark, and what
// the write-ahead logs hold with the tables. What is lost must be known before
// Pebble writes to the directory: it would remove files that it knows nothing of, and with them what may still help.
func precheck(dir string, cfg Config) error {
	if _, err := readMark(cfg.FS, dir); err != nil {
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

// endsIn names the file that most likely was cut where a log ends too early: the newest write-ahead log, or
// the MANIFEST where that does not know a table which is there.
func (l *Log) endsIn() string {
	names, err := l.cfg.FS.List(l.dir)
	if err != nil {
		return ""
	}
	manifest := newestLike(names, "MANIFEST-")
	levels, err := l.db.SSTables()
	if err != nil {
		return manifest
	}
	known := map[string]bool{}
	for _, tables := range levels {
		for _, t := range tables {
			known[t.FileNum.String()+".sst"] = true
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") && !known[name] {
			return manifest
		}
	}
	if name, _ := newestWAL(names); name != "" {
		return name
	}
	return manifest
}
