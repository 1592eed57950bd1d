package bench

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
)

func itoa(n int) string { return strconv.Itoa(n) }

// orElse returns n, or other if n is 0.
func orElse(n, other int) int {
	if n > 0 {
		return n
	}
	return other
}

func dataDir(dir string) (string, func(), error) {
	if dir != "" {
		return dir, func() {}, os.MkdirAll(dir, 0o755)
	}
	dir, err := os.MkdirTemp("", "atone-bench-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// dataLog opens the log in the data directory, or in a temporary one.
func dataLog(data string) (dir string, log *pebblelog.Log, closeLog func() error, err error) {
	dir, remove, err := dataDir(data)
	if err != nil {
		return dir, nil, nil, err
	}
	if log, err = pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet}); err != nil {
		remove()
		return dir, nil, nil, err
	}
	return dir, log, func() error { defer remove(); return log.Close() }, nil
}

// dirSize returns the bytes in a directory's files.
func dirSize(dir string) int64 {
	var size int64
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // files come and go while the log compacts
		}
		if info, err := d.Info(); err == nil {
			size += info.Size()
		}
		return nil
	})
	return size
}

// repeat spreads the runs over the callers and returns how long each run took.
func repeat(ctx context.Context, callers, runs int, one func(context.Context) error) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	all := make([]time.Duration, runs)
	var wg sync.WaitGroup
	for range callers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= runs || ctx.Err() != nil {
					return
				}
				began := time.Now()
				if err := one(ctx); err != nil {
					cancel(err)
					return
				}
				all[i] = time.Since(began)
			}
		}()
	}
	wg.Wait()
	return all, context.Cause(ctx)
}
