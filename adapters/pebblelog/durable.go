package pebblelog

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/domain"
)

// durableFile holds a position that the log once had on disk, with a checksum. A log that
// ends before it has lost something, be it because Pebble took damage to its MANIFEST
// for an end that was not written completely. The file is brought up to date when the log
// is opened and closed, and when a memtable was written to a table, which is when data
// moves from files that are checked one way to files that are checked another way.
const durableFile = "DURABLE"

// readDurable reads the position; 0 when the file does not exist.
func readDurable(fs vfs.FS, dir string) (domain.Position, error) {
	f, err := fs.Open(fs.PathJoin(dir, durableFile))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err
	}
	var position uint64
	var crc uint32
	if _, err := fmt.Sscanf(string(content), "%d %x\n", &position, &crc); err != nil || string(content) != durableText(position) {
		return 0, &CorruptionError{File: durableFile, Err: errors.New("the file does not hold a position and its checksum: where the log is sound, delete the file")}
	}
	return domain.Position(position), nil
}

func durableText(position uint64) string {
	return fmt.Sprintf("%d %08x\n", position, crc32.Checksum(fmt.Append(nil, position), castagnoli))
}

// checkDurable makes sure that the log goes as far as it once did.
func (l *Log) checkDurable(newest domain.Position) error {
	durable, err := readDurable(l.cfg.FS, l.dir)
	if err != nil {
		return err
	}
	if newest < durable {
		return missing(newest+1, durable)
	}
	return nil
}

// noteDurable writes the position to the file.
func (l *Log) noteDurable(position uint64) error {
	return writeFile(l.cfg.FS, l.dir, durableFile, durableText(position))
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
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
