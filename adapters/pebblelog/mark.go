package pebblelog

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/domain"
)

// The file MARK holds the high-water mark: a position that the log once had on disk. A log that ends before
// it has lost something that was acknowledged, be it that its newest file was cut, which looks like what a power
// cut leaves, or that Pebble took damage to its MANIFEST for an end that was not written completely.
//
// The mark follows the log by at most a second, so that what was acknowledged in the last second before an
// unclean stop may be lost unnoticed. It never names what was not on disk yet: it is written after the sync of what
// it names. It is written in place, into two slots in turn, each in a disk page of its own with a checksum: a power
// cut spoils at most the one that was being written, and no sync has to change a directory.
const (
	markFile   = "MARK"
	markSlot   = 4096
	markPrefix = "atone log mark "
	// markEvery is how long after an event became durable the mark names it.
	markEvery = 500 * time.Millisecond
	// durableFile held the mark in earlier versions, which wrote it more rarely.
	durableFile = "DURABLE"
)

// mark is the open file.
type mark struct {
	file vfs.File
	slot int64 // the one to be written next
	last domain.Position
}

// markText is what a slot holds.
func markText(p domain.Position) string {
	return fmt.Sprintf("%s%d %08x\n", markPrefix, p, crc32.Checksum(fmt.Append(nil, uint64(p)), castagnoli))
}

// readMark returns the highest mark that the directory holds; 0 when it has none.
func readMark(fs vfs.FS, dir string) (domain.Position, error) {
	content, err := readSmall(fs, dir, markFile, 2*markSlot)
	if err != nil {
		return 0, err
	}
	var highest domain.Position
	valid := content == nil
	for i := 0; i*markSlot < len(content); i++ {
		slot := content[i*markSlot : min(len(content), (i+1)*markSlot)]
		var p domain.Position
		if _, err := fmt.Sscanf(string(slot[:min(len(slot), 64)]), markPrefix+"%d", &p); err == nil && bytes.HasPrefix(slot, []byte(markText(p))) {
			highest, valid = max(highest, p), true
		}
	}
	if !valid {
		return 0, &CorruptionError{File: markFile, Err: errors.New("the file does not hold a position and its checksum"), Remedy: remedyMark}
	}
	older, err := readDurable(fs, dir)
	return max(highest, older), err
}

// readDurable returns the mark that an earlier version wrote.
func readDurable(fs vfs.FS, dir string) (domain.Position, error) {
	content, err := readSmall(fs, dir, durableFile, 64)
	if err != nil || content == nil {
		return 0, err
	}
	var p uint64
	var crc uint32
	if _, err := fmt.Sscanf(string(content), "%d %x\n", &p, &crc); err != nil ||
		string(content) != fmt.Sprintf("%d %08x\n", p, crc32.Checksum(fmt.Append(nil, p), castagnoli)) {
		return 0, &CorruptionError{File: durableFile, Err: errors.New("the file does not hold a position and its checksum"), Remedy: remedyMark}
	}
	return domain.Position(p), nil
}

// readSmall returns the beginning of a file, nil when there is no such file.
func readSmall(fs vfs.FS, dir, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit))
	if content == nil {
		content = []byte{}
	}
	return content, errors.Join(err, f.Close())
}

// checkMark makes sure that the log goes as far as it once did.
func (l *Log) checkMark(newest domain.Position) error {
	marked, err := readMark(l.cfg.FS, l.dir)
	if err != nil || newest >= marked {
		return err
	}
	return &CorruptionError{Position: newest + 1, Through: marked, File: l.endsIn(), Remedy: remedyLoss, Err: fmt.Errorf(
		"the log ends at position %d, but events up to position %d were on disk and acknowledged: %d events are gone, "+
			"most likely because this file was cut or replaced", newest, marked, marked-newest)}
}

// startMark writes the mark anew, both slots, and leaves the file open for what follows.
func (l *Log) startMark(p domain.Position) error {
	if err := writeMark(l.cfg.FS, l.dir, p); err != nil {
		return err
	}
	f, err := l.cfg.FS.OpenReadWrite(l.cfg.FS.PathJoin(l.dir, markFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	l.mark = mark{file: f, last: p}
	return nil
}

// writeMark replaces the mark, and removes an earlier version's.
func writeMark(fs vfs.FS, dir string, p domain.Position) error {
	slot := make([]byte, markSlot)
	copy(slot, markText(p))
	if err := writeFile(fs, dir, markFile, string(slot)+string(slot)); err != nil {
		return err
	}
	switch err := fs.Remove(fs.PathJoin(dir, durableFile)); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return syncDir(fs, dir)
}

// advance moves the mark to a position that is on disk.
func (m *mark) advance(p domain.Position) error {
	if p <= m.last {
		return nil
	}
	slot := make([]byte, markSlot)
	copy(slot, markText(p))
	if _, err := m.file.WriteAt(slot, m.slot*markSlot); err != nil {
		return err
	}
	if err := m.file.SyncData(); err != nil {
		return err
	}
	m.slot, m.last = 1-m.slot, p
	return nil
}

// keepMark has the mark follow the log until the log is closed or fails. Each word says that something became
// durable; it is not needed with NoSync, where nothing is known to be on disk before the end.
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
		if err := l.mark.advance(domain.Position(l.durable.Load())); err != nil {
			l.fail(fmt.Errorf("write the file %s: %w", markFile, err))
			return
		}
	}
}

// writeFile replaces a small file of the directory, durably and at once.
func writeFile(fs vfs.FS, dir, name, content string) error {
	path := fs.PathJoin(dir, name)
	f, err := fs.Create(path+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(fs, dir)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
