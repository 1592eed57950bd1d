package pebblelog

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// stopFS is the file system that Pebble works on. Pebble panics, beyond recovery, when it
// can't write or change its write-ahead log; a full disk would end the whole program. So the
// first write that fails makes the log fail, and from then on the directory stays as it is:
//
//   - Writes to write-ahead logs do nothing and report success. Nobody is told that they are
//     durable: the finisher looks whether the log has failed before it acknowledges.
//   - Nothing is deleted or renamed, so that whatever Pebble believes to have written
//     elsewhere, the files that hold it remain.
//   - Other writes fail, after a pause, for Pebble tries them again and again.
//
// When the log is opened again it is as after a crash at the moment of the first failure.
type stopFS struct {
	vfs.FS
	log *Log
}

// retryPause slows down Pebble's endless repetition of what can't be written.
const retryPause = time.Second

func (fs stopFS) Unwrap() vfs.FS { return fs.FS }

func isWAL(name string) bool { return strings.HasSuffix(name, ".log") }

// stopped reports whether the directory must stay as it is.
func (fs stopFS) stopped() bool { return fs.log.err() != nil }

// refuse is the answer to a write after the log failed.
func (fs stopFS) refuse() error {
	timer := time.NewTimer(retryPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-fs.log.closing:
	}
	return fs.log.err()
}

// made wraps a file that was made for writing, or the failure to make it.
func (fs stopFS) made(name string, f vfs.File, err error) (vfs.File, error) {
	if err == nil {
		return stopFile{File: f, fs: fs, wal: isWAL(name)}, nil
	}
	fs.log.fail(err)
	if isWAL(name) {
		return stopFile{File: vfs.NewMemFile(nil), fs: fs, wal: true}, nil
	}
	return nil, err
}

func (fs stopFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.stopped() {
		if isWAL(name) {
			return fs.made(name, vfs.NewMemFile(nil), nil)
		}
		return nil, fs.refuse()
	}
	f, err := fs.FS.Create(name, category)
	return fs.made(name, f, err)
}

func (fs stopFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if fs.stopped() {
		return fs.Create(newname, category)
	}
	f, err := fs.FS.ReuseForWrite(oldname, newname, category)
	return fs.made(newname, f, err)
}

func (fs stopFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := fs.FS.OpenReadWrite(name, category, opts...)
	if err != nil {
		return nil, err
	}
	return stopFile{File: f, fs: fs, wal: isWAL(name)}, nil
}

// OpenDir's result is synced after a write-ahead log was made, where an error panics too.
func (fs stopFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return stopFile{File: f, fs: fs, wal: true}, nil
}

func (fs stopFS) Remove(name string) error {
	if fs.stopped() {
		return nil
	}
	return fs.FS.Remove(name)
}

func (fs stopFS) RemoveAll(name string) error {
	if fs.stopped() {
		return nil
	}
	return fs.FS.RemoveAll(name)
}

func (fs stopFS) Rename(oldname, newname string) error {
	if fs.stopped() {
		return fs.refuse()
	}
	err := fs.FS.Rename(oldname, newname)
	if err != nil {
		fs.log.fail(err)
	}
	return err
}

func (fs stopFS) Link(oldname, newname string) error {
	if fs.stopped() {
		return fs.refuse()
	}
	err := fs.FS.Link(oldname, newname)
	if err != nil {
		fs.log.fail(err)
	}
	return err
}

// stopFile is a file of a [stopFS]. With wal set, its failures are known to the log alone.
type stopFile struct {
	vfs.File
	fs  stopFS
	wal bool
}

// change makes a change to the file, unless the directory must stay as it is.
func (f stopFile) change(do func() error) error {
	err := f.fs.log.err()
	if err == nil {
		if err = do(); err != nil {
			f.fs.log.fail(err)
		}
	}
	if f.wal {
		return nil
	}
	return err
}

func (f stopFile) Write(p []byte) (int, error) {
	if err := f.change(func() error { _, err := f.File.Write(p); return err }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f stopFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.change(func() error { _, err := f.File.WriteAt(p, off); return err }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f stopFile) Preallocate(offset, length int64) error {
	return f.change(func() error { return f.File.Preallocate(offset, length) })
}

func (f stopFile) Sync() error     { return f.change(f.File.Sync) }
func (f stopFile) SyncData() error { return f.change(f.File.SyncData) }

func (f stopFile) SyncTo(length int64) (bool, error) {
	full := true
	err := f.change(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f stopFile) Close() error {
	err := f.File.Close()
	if err != nil {
		f.fs.log.fail(err)
	}
	if f.wal {
		return nil
	}
	return err
}
