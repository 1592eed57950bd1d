package pebblelog

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/atonehq/atone/adapters/pebblelog/internal/smallfile"
	"github.com/atonehq/atone/adapters/pebblelog/internal/wal"
)

var (
	// namedFile is how Pebble's errors name a file of its directory.
	namedFile = regexp.MustCompile(`\b(?:MANIFEST-\d+|OPTIONS-\d+|marker\.[\w.-]+\w|\d{6,}\.(?:sst|log|blob))\b`)
	// numberedTable is how they name a table that is missing or has the wrong size: by level and
	// number.
	numberedTable = regexp.MustCompile(`\bL\d+: (\d{6,}): `)
)

// longestCause bounds how much of Pebble's error text is shown, in bytes: some texts quote the
// damaged bytes.
const longestCause = 300

// blame turns an error of opening a damaged store into one that names the file. It returns other
// errors as they are.
func (l *Log) blame(err error) error {
	text := err.Error()
	damage := &CorruptionError{Err: err}
	names, lerr := l.cfg.FS.List(l.dir)
	if lerr != nil {
		names = nil
	}
	settings := newestLike(names, "OPTIONS-")
	switch m := numberedTable.FindStringSubmatch(text); {
	case m != nil:
		damage.File = m[1] + ".sst"
	case namedFile.MatchString(text):
		damage.File = namedFile.FindString(text)
	case settings != "" && l.settingsDamaged(settings):
		damage.File, damage.Remedy = settings, remedySettings
	case strings.Contains(text, "replaying WAL"):
		damage.File = l.firstOlderWAL(unclosed)
	case strings.Contains(text, "is not pristine"):
		damage.File = "marker.format-version"
	case pebble.IsCorruptionError(err):
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			damage.File = l.cfg.FS.PathBase(info.Path)
		}
	default:
		return err
	}
	if !pebble.IsCorruptionError(err) && damage.Remedy == "" && !errors.Is(err, fs.ErrNotExist) && !strings.Contains(text, "mismatch") && !strings.Contains(text, "pristine") {
		// the error names a file but no damage: perhaps permission to read it is missing
		return err
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil && info.Details != nil {
		damage.Err = info.Details // the error around it only carries the place
	}
	if text := damage.Err.Error(); len(text) > longestCause {
		damage.Err = fmt.Errorf("%.*q…", longestCause, strings.ToValidUTF8(text[:longestCause], "?"))
	}
	return damage
}

// settingsDamaged reports whether the file of the store's settings is what can't be read.
func (l *Log) settingsDamaged(name string) bool {
	content, err := smallfile.Read(l.cfg.FS, l.dir, name, 1<<20)
	if err != nil {
		return false
	}
	opts := l.storeOptions()
	defer opts.Cache.Unref()
	opts.EnsureDefaults()
	return opts.CheckCompatibility(l.dir, string(content)) != nil
}

// newestLike returns the last of the files whose names begin so.
func newestLike(names []string, prefix string) (newest string) {
	for _, name := range names {
		if strings.HasPrefix(name, prefix) && name > newest {
			newest = name
		}
	}
	return newest
}

// endsIn returns the file that was most likely cut when a log ends too early: the MANIFEST if it
// does not list a table that exists, else the newest write-ahead log.
func (l *Log) endsIn() string {
	names, err := l.cfg.FS.List(l.dir)
	if err != nil {
		return ""
	}
	manifest := newestLike(names, "MANIFEST-")
	levels, err := l.db.SSTables()
	if err != nil {
		return manifest
	}
	known := map[string]bool{}
	for _, tables := range levels {
		for _, t := range tables {
			known[t.FileNum.String()+".sst"] = true
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".sst") && !known[name] {
			return manifest
		}
	}
	if files, err := wal.List(l.cfg.FS, l.dir); err == nil && len(files) > 0 {
		return files[len(files)-1].Name
	}
	return manifest
}

// checkWAL finds damage in the newest write-ahead log that Pebble would mistake for the torn end of
// a power cut: Pebble would drop it, and the acknowledged appends behind it. (In older logs, and
// where whole blocks follow the damage, Pebble refuses to open by itself.)
func checkWAL(fs vfs.FS, dir string) error {
	files, err := wal.List(fs, dir)
	if err != nil || len(files) == 0 {
		return err
	}
	newest := files[len(files)-1]
	ending, err := newest.Ending()
	if err != nil || !ending.Damaged {
		return err
	}
	return &CorruptionError{File: newest.Name, Offset: ending.At,
		Err: errors.New("a part of the write-ahead log that had been synced is not valid any more")}
}

// unclosed reports whether a write-ahead log does not end as a closed one does.
func unclosed(f wal.File) bool {
	ending, err := f.Ending()
	return err != nil || !ending.Closed
}

// firstOlderWAL returns the name of the first write-ahead log before the newest for which is
// reports true; "" if there is none.
func (l *Log) firstOlderWAL(is func(wal.File) bool) string {
	files, err := wal.List(l.cfg.FS, l.dir)
	if err != nil || len(files) == 0 {
		return ""
	}
	older := files[:len(files)-1]
	if i := slices.IndexFunc(older, is); i >= 0 {
		return older[i].Name
	}
	return ""
}
