package projections

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/atonehq/atone/domain"
)

// Type is the type of a column. Whatever the type, a value may also be nil.
type Type int

// The types of a column, with the Go type that reading a row gives.
const (
	Int   Type = iota // int64; times are nanoseconds since 1970 (UTC), truths 0 and 1
	Text              // string
	Bytes             // []byte
	Texts             // []string
)

// Column is one column of a table.
type Column struct {
	Name string
	Type Type
	// Fixed promises that the value of an existing row never changes, so that the store need not
	// update its indexes when the row is put again.
	Fixed bool
	// Sparse says that most rows have nil here: indexes that begin with this column leave them out.
	// A query that sorts by it must also use [NotNull].
	Sparse bool
}

// Table is the shape of one table of a view.
type Table struct {
	// Name is unique within the view: lower-case letters, digits and underscores.
	Name string
	// Columns in the order in which a [Row] has its values.
	Columns []Column
	// Key names the columns that identify a row; at least one, none ever nil.
	Key []string
	// Indexes lists the columns of each further index. Each index also has the key, so an index
	// over x serves "where x = …, order by key".
	Indexes [][]string
	// Lists names the columns that rows are found by: for each of their values (of a Texts column:
	// for each of its texts) the store keeps a list of the rows that have it. Any combination of
	// conditions on them is answered by joining lists.
	Lists []string
	// Ranges names the Int columns that rows are sorted by, and found by whether they are in a
	// range.
	Ranges []string
	// Words names a Text column to be searched by its words, see [Words] and [Match]; empty
	// for none.
	Words string
}

// Listed reports whether the table has Lists, Ranges or Words. Its key is then one Int column, that
// numbers the rows from zero up, with few gaps.
func (t *Table) Listed() bool { return len(t.Lists) > 0 || len(t.Ranges) > 0 || t.Words != "" }

// Column returns the place of the column in a row, or -1.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// Applier applies events to a view's tables. It may keep state in memory between calls: one
// goroutine uses it, and it is dropped when a transaction fails.
type Applier interface {
	// Apply updates the tables for the next events. What it writes must depend on the events alone,
	// never on the clock, on chance or on how the events were cut into batches.
	Apply(ctx context.Context, tx Tx, events []Event) error
}

// ApplyFunc is an [Applier] without memory.
type ApplyFunc func(ctx context.Context, tx Tx, events []Event) error

// Apply implements [Applier].
func (f ApplyFunc) Apply(ctx context.Context, tx Tx, events []Event) error { return f(ctx, tx, events) }

// View is a projection: its name, its tables and how events change them.
type View struct {
	// Name is unique in a store: lower-case letters, digits and underscores.
	Name string
	// Version is raised whenever the tables or the meaning of their content change; the
	// runner then rebuilds the view by itself. It begins with 1.
	Version int
	Tables  []Table
	// Filter selects the events; the zero value selects the runs' streams, an empty prefix all.
	Filter domain.Filter
	// Wants, if set, chooses among the events that Filter selects. The others only move the view's
	// position, and cost little. Of a run, the events that it chooses have Of, and nothing of what
	// came between: neither Action, Number and Begun nor Before and Again.
	Wants func(*domain.Recorded) bool
	// New returns an applier for a fresh pass over the log. It is called again after every
	// failure and for every rebuild.
	New func() Applier
}

// Table returns the table of that name, or nil.
func (v *View) Table(name string) *Table {
	for i := range v.Tables {
		if v.Tables[i].Name == name {
			return &v.Tables[i]
		}
	}
	return nil
}

// Selects is Filter as a log takes it.
func (v *View) Selects() domain.Filter {
	switch {
	case len(v.Filter.Prefixes) == 0:
		return domain.Filter{Prefixes: []string{domain.RunPrefix}}
	case slices.Contains(v.Filter.Prefixes, ""):
		return domain.Filter{}
	}
	return v.Filter
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,23}$`)

// Validate reports everything that is wrong with the view's definition.
func (v *View) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("view %q: "+format, append([]any{v.Name}, args...)...))
	}
	if !plainName.MatchString(v.Name) {
		bad("the name must match %s", plainName)
	}
	if v.Version < 1 {
		bad("Version is %d: begin with 1", v.Version)
	}
	if v.New == nil {
		bad("New is missing")
	}
	if len(v.Tables) == 0 {
		bad("it has no tables")
	}
	for i := range v.Tables {
		t := &v.Tables[i]
		if !plainName.MatchString(t.Name) || v.Table(t.Name) != t {
			bad("table %q: the name must be unique and match %s", t.Name, plainName)
		}
		if err := t.validate(); err != nil {
			bad("table %q: %w", t.Name, err)
		}
	}
	return errors.Join(errs...)
}

func (t *Table) validate() error {
	var errs []error
	for _, c := range t.Columns {
		if !plainName.MatchString(c.Name) || c.Type < Int || c.Type > Texts {
			errs = append(errs, fmt.Errorf("column %q: the name must match %s and the type be one of the constants", c.Name, plainName))
		}
	}
	known := func(what string, names []string) {
		for _, n := range names {
			if t.Column(n) < 0 {
				errs = append(errs, fmt.Errorf("%s names %q, which is not a column", what, n))
			}
		}
	}
	if len(t.Key) == 0 {
		errs = append(errs, errors.New("it has no Key"))
	}
	known("Key", t.Key)
	for _, ix := range t.Indexes {
		if len(ix) == 0 {
			errs = append(errs, errors.New("an index without columns"))
		}
		known("an index", ix)
	}
	known("Lists", t.Lists)
	known("Ranges", t.Ranges)
	for _, n := range t.Ranges {
		if i := t.Column(n); i >= 0 && t.Columns[i].Type != Int {
			errs = append(errs, fmt.Errorf("column %q of Ranges is no Int", n))
		}
	}
	if t.Words != "" {
		known("Words", []string{t.Words})
		if i := t.Column(t.Words); i >= 0 && t.Columns[i].Type != Text {
			errs = append(errs, fmt.Errorf("Words names %q, which is not a Text column", t.Words))
		}
	}
	if t.Listed() && (len(t.Key) != 1 || t.Column(t.Key[0]) < 0 || t.Columns[t.Column(t.Key[0])].Type != Int) {
		errs = append(errs, errors.New("a table with Lists, Ranges or Words needs a key of one Int column"))
	}
	return errors.Join(errs...)
}
