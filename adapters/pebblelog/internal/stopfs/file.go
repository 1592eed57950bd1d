package stopfs

import "github.com/cockroachdb/pebble/v2/vfs"

// file is a file of an [FS]. With wal set, Pebble is not told when a write fails: only the log is.
type file struct {
	vfs.File
	fs  *FS
	wal bool
}

// change makes a change to the file, unless the directory must stay as it is.
func (f file) change(do func() error) error {
	err := f.fs.health.Err()
	if err == nil {
		if err = do(); err != nil {
			f.fs.health.Fail(err)
		}
	}
	if f.wal {
		return nil
	}
	return err
}

func (f file) Write(p []byte) (int, error) {
	if err := f.change(func() error { _, err := f.File.Write(p); return err }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.change(func() error { _, err := f.File.WriteAt(p, off); return err }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f file) Preallocate(offset, length int64) error {
	return f.change(func() error { return f.File.Preallocate(offset, length) })
}

func (f file) Sync() error     { return f.change(f.File.Sync) }
func (f file) SyncData() error { return f.change(f.File.SyncData) }

func (f file) SyncTo(length int64) (bool, error) {
	full := true
	err := f.change(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f file) Close() error {
	err := f.File.Close()
	if err != nil {
		f.fs.health.Fail(err)
	}
	if f.wal {
		return nil
	}
	return err
}
