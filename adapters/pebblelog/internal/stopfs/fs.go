package stopfs

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is the file system that Pebble works on. Pebble panics, beyond recovery, when it
// can't write or change its write-ahead log; a full disk would end the whole program. So the
// first write that fails makes the log fail, and from then on the directory stays as it is:
//
//   - Writes to write-ahead logs do nothing and report success. No caller is told that they are
//     durable: the finisher checks whether the log has failed before it acknowledges.
//   - Nothing is deleted or renamed: Pebble may believe that it has written the content elsewhere.
//   - Other writes fail after a pause, because Pebble repeats them endlessly.
//
// When the log is opened again it is as after a crash at the moment of the first failure.
type FS struct {
	vfs.FS
	health Health
}

// Health is what the file system shares with the log that works on it.
type Health interface {
	// Fail says that a write failed. The first one counts.
	Fail(error)
	// Err returns the first failure, nil while there is none.
	Err() error
	// Closing is closed when the log is being closed: writes that can't be made fail without a
	// pause.
	Closing() <-chan struct{}
}

// New returns the file system on top of another one.
func New(below vfs.FS, health Health) *FS {
	return &FS{FS: below, health: health}
}

// RetryPause is how long a write that can't be made takes, so that Pebble repeats it slowly.
const RetryPause = time.Second

// Unwrap implements [vfs.FS].
func (fs *FS) Unwrap() vfs.FS { return fs.FS }

func isWAL(name string) bool { return strings.HasSuffix(name, ".log") }

// stopped reports whether the directory must stay as it is.
func (fs *FS) stopped() bool { return fs.health.Err() != nil }

// refuse is the answer to a write after the log failed.
func (fs *FS) refuse() error {
	timer := time.NewTimer(RetryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-fs.health.Closing():
	}
	return fs.health.Err()
}

// made wraps a file that was made for writing, or the failure to make it.
func (fs *FS) made(name string, f vfs.File, err error) (vfs.File, error) {
	if err == nil {
		return file{File: f, fs: fs, wal: isWAL(name)}, nil
	}
	fs.health.Fail(err)
	if isWAL(name) {
		return file{File: vfs.NewMemFile(nil), fs: fs, wal: true}, nil
	}
	return nil, err
}

func (fs *FS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.stopped() {
		if isWAL(name) {
			return fs.made(name, vfs.NewMemFile(nil), nil)
		}
		return nil, fs.refuse()
	}
	f, err := fs.FS.Create(name, category)
	return fs.made(name, f, err)
}

func (fs *FS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.stopped() {
		return fs.Create(newname, category)
	}
	f, err := fs.FS.ReuseForWrite(oldname, newname, category)
	return fs.made(newname, f, err)
}

func (fs *FS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	if err != nil {
		return nil, err
	}
	return file{File: f, fs: fs, wal: isWAL(name)}, nil
}

// OpenDir's result is synced after a write-ahead log was made, where an error panics too.
func (fs *FS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return file{File: f, fs: fs, wal: true}, nil
}

func (fs *FS) Remove(name string) error {
	if fs.stopped() {
		return nil
	}
	return fs.FS.Remove(name)
}

func (fs *FS) RemoveAll(name string) error {
	if fs.stopped() {
		return nil
	}
	return fs.FS.RemoveAll(name)
}

func (fs *FS) Rename(oldname, newname string) error {
	if fs.stopped() {
		return fs.refuse()
	}
	err := fs.FS.Rename(oldname, newname)
	if err != nil {
		fs.health.Fail(err)
	}
	return err
}

func (fs *FS) Link(oldname, newname string) error {
	if fs.stopped() {
		return fs.refuse()
	}
	err := fs.FS.Link(oldname, newname)
	if err != nil {
		fs.health.Fail(err)
	}
	return err
}
