package pebblelog

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// namedFile is how Pebble's errors name a file of its directory.
	namedFile = regexp.MustCompile(`\b(?:MANIFEST-\d+|OPTIONS-\d+|marker\.[\w.-]+\w|\d{6,}\.(?:sst|log|blob))\b`)
	// numberedTable is how they name a table that is missing or has another size than it should: by level and number.
	numberedTable = regexp.MustCompile(`\bL\d+: (\d{6,}): `)
)

// longestCause bounds what is shown of Pebble's words: some have the damaged bytes in them.
const longestCause = 300

// blame makes the refusal to open a store that is damaged one that names the file. Other errors it passes on.
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
		damage.File = l.damagedWAL()
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
		return err // a file is named, but nothing says that it is damaged: no right to read it, for instance
	}
	if info := pebble.ExtractDataCorruptionInfo(err); info != nil && info.Details != nil {
		damage.Err = info.Details // the error around it is only how Pebble passes the place on
	}
	if text := damage.Err.Error(); len(text) > longestCause {
		damage.Err = fmt.Errorf("%.*q…", longestCause, strings.ToValidUTF8(text[:longestCause], "?"))
	}
	return damage
}

// settingsDamaged reports whether the file of the store's settings is what can't be read.
func (l *Log) settingsDamaged(name string) bool {
	content, err := readSmall(l.cfg.FS, l.dir, name, 1<<20)
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
