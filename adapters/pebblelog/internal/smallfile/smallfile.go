package smallfile

import (
	"errors"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Read returns the first bytes of a file, at most limit of them; nil when there is no such file.
func Read(fs vfs.FS, dir, name string, limit int64) ([]byte, error) {
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

// Replace gives a file this content. When it returns nil the change is durable; after a crash
// before that, the file is as it was.
func Replace(fs vfs.FS, dir, name, content string) error {
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

// Remove removes a file, durably. A file that is not there is no error.
func Remove(fs vfs.FS, dir, name string) error {
	err := fs.Remove(fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
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
