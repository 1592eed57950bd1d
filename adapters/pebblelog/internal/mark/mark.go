package mark

import (
	"bytes"
	"fmt"
	"hash/crc32"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/adapters/pebblelog/internal/smallfile"
	"github.com/atonehq/atone/domain"
)

const (
	// File is the file's name in the log's directory.
	File = "MARK"
	// olderFile held the mark in earlier versions, which wrote it more rarely.
	olderFile = "DURABLE"

	slotSize = 4096
	prefix   = "atone log mark "
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DamagedError means that a file which should hold a mark does not: whether the log has lost
// something is unknown.
type DamagedError struct{ File string }

// Error implements error.
func (e *DamagedError) Error() string {
	return "the file does not hold a position and its checksum"
}

// Mark is the open file. It is not safe for concurrent use.
type Mark struct {
	file vfs.File
	slot int64 // the next one to write
	last domain.Position
}

// Start writes the mark anew, both slots, and leaves the file open for [Mark.Advance].
func Start(fs vfs.FS, dir string, p domain.Position) (*Mark, error) {
	if err := Replace(fs, dir, p); err != nil {
		return nil, err
	}
	f, err := fs.OpenReadWrite(fs.PathJoin(dir, File), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &Mark{file: f, last: p}, nil
}

// Advance moves the mark to a position that is on disk. It never moves the mark back.
func (m *Mark) Advance(p domain.Position) error {
	if p <= m.last {
		return nil
	}
	slot := make([]byte, slotSize)
	copy(slot, text(p))
	if _, err := m.file.WriteAt(slot, m.slot*slotSize); err != nil {
		return err
	}
	if err := m.file.SyncData(); err != nil {
		return err
	}
	m.slot, m.last = 1-m.slot, p
	return nil
}

// Close closes the file. What Advance wrote was synced.
func (m *Mark) Close() error { return m.file.Close() }

// Replace writes the mark anew and removes an earlier version's.
func Replace(fs vfs.FS, dir string, p domain.Position) error {
	slot := make([]byte, slotSize)
	copy(slot, text(p))
	if err := smallfile.Replace(fs, dir, File, string(slot)+string(slot)); err != nil {
		return err
	}
	return smallfile.Remove(fs, dir, olderFile)
}

// Read returns the highest mark in the directory; 0 when there is none. Where a file is damaged,
// the error is a [*DamagedError].
func Read(fs vfs.FS, dir string) (domain.Position, error) {
	content, err := smallfile.Read(fs, dir, File, 2*slotSize)
	if err != nil {
		return 0, err
	}
	var highest domain.Position
	valid := content == nil
	for i := 0; i*slotSize < len(content); i++ {
		slot := content[i*slotSize : min(len(content), (i+1)*slotSize)]
		var p domain.Position
		_, err := fmt.Sscanf(string(slot[:min(len(slot), 64)]), prefix+"%d", &p)
		if err == nil && bytes.HasPrefix(slot, []byte(text(p))) {
			highest, valid = max(highest, p), true
		}
	}
	if !valid {
		return 0, &DamagedError{File: File}
	}
	older, err := readOlder(fs, dir)
	return max(highest, older), err
}

// text is what a slot holds.
func text(p domain.Position) string {
	return fmt.Sprintf("%s%d %08x\n", prefix, p, crc32.Checksum(fmt.Append(nil, uint64(p)), castagnoli))
}

// readOlder returns the mark that an earlier version wrote.
func readOlder(fs vfs.FS, dir string) (domain.Position, error) {
	content, err := smallfile.Read(fs, dir, olderFile, 64)
	if err != nil || content == nil {
		return 0, err
	}
	var p uint64
	var crc uint32
	_, err = fmt.Sscanf(string(content), "%d %x\n", &p, &crc)
	if err != nil || string(content) != fmt.Sprintf("%d %08x\n", p, crc32.Checksum(fmt.Append(nil, p), castagnoli)) {
		return 0, &DamagedError{File: olderFile}
	}
	return domain.Position(p), nil
}
