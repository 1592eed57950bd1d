package pebblelog

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/adapters/pebblelog/internal/stopfs"
)

// Config sets up a [Log]. The zero value is ready for use.
type Config struct {
	// NoSync acknowledges appends before they are on the disk: much faster on slow disks, and after
	// a crash of the process or the machine the last appends (some tens of kilobytes, some
	// milliseconds) may be gone although they were acknowledged. What is left is still a whole log
	// without gaps. For tests and for data that can be recreated; never for runs with effects on
	// the outside world.
	NoSync bool

	// CacheBytes is the size of the cache for blocks read from disk; 64 MiB when 0.
	CacheBytes int64

	// MemTableBytes is how much is collected in memory before it is written to a sorted
	// table. Up to four such tables are held when writing lags behind. 16 MiB when 0.
	MemTableBytes int

	// TailBytes bounds the memory for the newest events, from which live subscriptions are
	// served without touching the store; 4 MiB when 0.
	TailBytes int

	// Heads is how many streams' heads are remembered in memory, so that appends to them need
	// no lookup; 65536 when 0.
	Heads int

	// Logger is told of damage, write errors and slow disks; slog.Default() when nil.
	Logger *slog.Logger

	// Now is the clock behind [domain.Recorded.Created]; time.Now when nil.
	Now func() time.Time

	// FS is the file system; the machine's own when nil. Tests inject faults here.
	FS vfs.FS

	// markEvery is how long after an event became durable the mark names it; 500 ms when 0. Tests
	// shorten it.
	markEvery time.Duration
}

func (c *Config) setDefaults() {
	setDefault(&c.CacheBytes, 64<<20)
	setDefault(&c.MemTableBytes, 16<<20)
	setDefault(&c.TailBytes, 4<<20)
	setDefault(&c.Heads, 1<<16)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
}

func setDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.CacheBytes < 0 {
		errs = append(errs, fmt.Errorf("config: CacheBytes is %d: use 0 for the default, or at least 1", c.CacheBytes))
	}
	if c.MemTableBytes != 0 && (c.MemTableBytes < 1<<20 || c.MemTableBytes > 1<<30) {
		errs = append(errs, fmt.Errorf("config: MemTableBytes is %d: use 0 for the default, or 1 MiB to 1 GiB", c.MemTableBytes))
	}
	if c.TailBytes < 0 {
		errs = append(errs, fmt.Errorf("config: TailBytes is %d: use 0 for the default, or at least 1", c.TailBytes))
	}
	if c.Heads < 0 {
		errs = append(errs, fmt.Errorf("config: Heads is %d: use 0 for the default, or at least 1", c.Heads))
	}
	return errors.Join(errs...)
}

func (l *Log) storeOptions() *pebble.Options {
	opts := &pebble.Options{
		FS:                          stopfs.New(l.cfg.FS, health{l}),
		Logger:                      storeLogger{l},
		EventListener:               l.events(),
		FormatMajorVersion:          storeFormat,
		Cache:                       pebble.NewCache(l.cfg.CacheBytes + memTables*int64(l.cfg.MemTableBytes)),
		MemTableSize:                uint64(l.cfg.MemTableBytes),
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000, // appends must not wait for compactions
		LBaseMaxBytes:               256 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		DisableTableStats:           true, // they serve deletions, and a log deletes nothing
	}
	for i := range opts.Levels {
		opts.Levels[i] = pebble.LevelOptions{
			BlockSize:      32 << 10, // sequential reads are the hottest
			IndexBlockSize: 256 << 10,
			FilterPolicy:   bloom.FilterPolicy(10), // is this a new stream?
			Compression:    func() *sstable.CompressionProfile { return sstable.SnappyCompression },
		}
	}
	return opts
}

// memTables is how many memtables there may be before appends wait. Pebble counts their memory
// against its cache, so the cache is made larger by as much: otherwise nothing would be left for
// blocks.
const memTables = 4

// health is what the store's file system knows of the log.
type health struct{ log *Log }

// Fail implements [stopfs.Health].
func (h health) Fail(cause error) { h.log.fail(cause) }

// Err implements [stopfs.Health].
func (h health) Err() error { return h.log.err() }

// Closing implements [stopfs.Health].
func (h health) Closing() <-chan struct{} { return h.log.closing }

// storeLogger passes Pebble's complaints on. Pebble expects Fatalf to end the process; here it only
// makes the log refuse appends.
type storeLogger struct{ log *Log }

func (s storeLogger) Infof(string, ...any) {} // flushes and compactions, which Metrics counts

func (s storeLogger) Errorf(format string, args ...any) {
	s.log.cfg.Logger.Error("log store: "+fmt.Sprintf(format, args...), "dir", s.log.dir)
}

func (s storeLogger) Fatalf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			s.log.fail(err)
			return
		}
	}
	s.log.fail(fmt.Errorf(format, args...))
}

// events listens for what concerns the log.
func (l *Log) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if !errors.Is(err, pebble.ErrCancelledCompaction) {
				l.fail(err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.cfg.Logger.Error("log store is damaged", "dir", l.dir, "file", info.Path, "err", info.Details)
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			l.counters.slowDisk.Add(1)
			l.cfg.Logger.Warn("disk is slow", "dir", l.dir, "file", info.Path, "for", info.Duration)
		},
	}
}
