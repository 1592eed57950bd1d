package evidence

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Build is what a program is built of.
type Build struct {
	// Version is the version of the program's module.
	Version string `json:"version,omitempty" doc:"The version of the program's module."`
	// Revision is that of its version control.
	Revision string `json:"revision,omitempty" doc:"The revision of the program's version control."`
	// Dirty means that there were changes besides the revision.
	Dirty bool `json:"dirty,omitempty" doc:"Whether there were changes besides the revision."`
}

// BuildOf reads the information that the Go command puts into a program; nil means none.
func BuildOf(info *debug.BuildInfo) (b Build) {
	if info == nil {
		return b
	}
	if b.Version = info.Main.Version; b.Version == "(devel)" {
		b.Version = ""
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Dirty = s.Value == "true"
		}
	}
	return b
}

// Validate reports why nothing is recorded of this build, as [domain.ErrBadInput].
func (b Build) Validate() error {
	if err := b.check(); err != nil {
		return fmt.Errorf("%w: %w", domain.ErrBadInput, err)
	}
	return nil
}

func (b Build) check() error {
	switch {
	case b.Revision == "":
		return errors.New("the build does not say its revision: build the program with `go build` in a checkout of its repository")
	case b.Dirty:
		return fmt.Errorf("the build of revision %.12s has changes that nobody can have again: commit them, and build anew", b.Revision)
	}
	return nil
}

// String names the build: its version, and the beginning of its revision.
func (b Build) String() string {
	rev := b.Revision[:min(len(b.Revision), 12)]
	name := cmp.Or(b.Version, rev, "unknown")
	if rev != "" && !strings.Contains(name, rev) {
		name += " (" + rev + ")"
	}
	if b.Dirty {
		name += " with changes"
	}
	return name
}

// same reports whether both are of the same source.
func (b Build) same(other Build) bool {
	return b.Revision != "" && b.Revision == other.Revision && b.Dirty == other.Dirty
}
