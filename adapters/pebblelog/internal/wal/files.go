package wal

import (
	"github.com/cockroachdb/pebble/v2/vfs"
	pebblewal "github.com/cockroachdb/pebble/v2/wal"
)

// File is a write-ahead log.
type File struct {
	// Name is its name in the directory.
	Name string
	fs   vfs.FS
	path string
	num  pebblewal.NumWAL
}

// List returns the write-ahead logs of a directory, oldest first.
func List(fs vfs.FS, dir string) ([]File, error) {
	logs, err := pebblewal.Scan(pebblewal.Dir{FS: fs, Dirname: dir})
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(logs))
	for _, l := range logs {
		// there are more only with failover, which the log does not use
		_, path := l.SegmentLocation(0)
		files = append(files, File{Name: fs.PathBase(path), fs: fs, path: path, num: l.Num})
	}
	return files, nil
}

// Ending reads the file and says how it ends.
func (f File) Ending() (Ending, error) {
	r, err := f.fs.Open(f.path, vfs.SequentialReadsOption)
	if err != nil {
		return Ending{}, err
	}
	defer r.Close()
	return endingOf(r, uint32(f.num))
}

// Empty reports whether the file is there and holds nothing.
func (f File) Empty() bool {
	info, err := f.fs.Stat(f.path)
	return err == nil && info.Size() == 0
}
