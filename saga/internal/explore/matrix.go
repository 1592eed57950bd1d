package explore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Cell says how the saga stood an answer.
type Cell struct {
	// Held and Broke count schedules in which the answer was given, Unjudged those of which nothing
	// can tell, because the world has no Fingerprint.
	Held, Broke, Unjudged int
}

// Matrix has, for each action and direction, how the saga stood each answer.
type Matrix struct {
	Rows  []string // in the order in which they came up
	cells map[string]map[Answer]*Cell
	// offered are the answers that could have been given, with one more than the fewest choices
	// that come before one.
	offered map[string]map[Answer]int
	// faults is how many choices a schedule had at the most, and stopped why there were not more
	// schedules; empty if all were played.
	faults  int
	stopped string
}

func newMatrix() *Matrix {
	return &Matrix{cells: map[string]map[Answer]*Cell{}, offered: map[string]map[Answer]int{}}
}

// note counts an answer that was given in a schedule of so many choices. broke says that the
// schedule broke something, and that this answer is one of its choices, or that it has none.
func (m *Matrix) note(p passed, choices int, broke bool) {
	row := p.action
	if m.cells[row] == nil {
		m.Rows = append(m.Rows, row)
		m.cells[row], m.offered[row] = map[Answer]*Cell{}, map[Answer]int{OK: 1}
	}
	for _, a := range p.others {
		col := column(a)
		if n := m.offered[row][col]; n == 0 || n > choices+1 {
			m.offered[row][col] = choices + 1
		}
	}
	a := column(p.given)
	c := m.cells[row][a]
	if c == nil {
		c = &Cell{}
		m.cells[row][a] = c
	}
	switch {
	case broke:
		c.Broke++
	case p.unjudged:
		c.Unjudged++
	case p.given != OK || !p.spoilt:
		c.Held++
	}
}

// column returns an answer without its extent, and the same for all orders.
func column(a Answer) Answer {
	if a.isFirst() {
		return "first"
	}
	return a.base()
}

// At returns the cell of a row and an answer; offered is false where the answer never could be
// given.
func (m *Matrix) At(row string, a Answer) (c Cell, offered bool) {
	if known := m.cells[row][a]; known != nil {
		c = *known
	}
	return c, m.offered[row][a] > 0
}

// Columns returns the answers that came up in any row.
func (m *Matrix) Columns() []Answer {
	seen := map[Answer]bool{}
	for _, row := range m.offered {
		for a := range row {
			seen[a] = true
		}
	}
	var out []Answer
	for a := range seen {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b Answer) int { return strings.Compare(rank(a), rank(b)) })
	return out
}

// rank orders answers as they are declared, with further ones behind.
func rank(a Answer) string {
	order := []Answer{OK, Refused, Failed, FailedDone, NeverLeft, AnswerLost, TimedOut, TimedOutDone, Died, DiedDone, DiedRecorded, Twice, Late, Stray, Unknown, AnswerLater}
	if i := slices.Index(order, a); i >= 0 {
		return fmt.Sprintf("%02d", i)
	}
	return "99" + string(a)
}

// Mark returns a cell in a word: held, BROKEN, not judged, not tried, or empty.
func (m *Matrix) Mark(row string, a Answer) string {
	c, offered := m.At(row, a)
	switch {
	case c.Broke > 0:
		return "BROKEN"
	case c.Held > 0:
		return "held"
	case c.Unjudged > 0:
		return unjudged
	case offered:
		return "not tried"
	}
	return ""
}

// Line is a row of the matrix as lists.
type Line struct {
	At                    string
	Held, Broken, Untried []Answer
	// Why has the reason for each of Untried.
	Why []string
	// Unjudged were given, and nothing tells whether the saga held: the world has no Fingerprint.
	Unjudged []Answer
}

const unjudged = "not judged"

// Lines lists what happened where, and which answers held.
func (m *Matrix) Lines() []Line {
	var lines []Line
	for _, row := range m.Rows {
		line := Line{At: row}
		for _, a := range m.Columns() {
			switch m.Mark(row, a) {
			case "held":
				line.Held = append(line.Held, a)
			case "BROKEN":
				line.Broken = append(line.Broken, a)
			case unjudged:
				line.Unjudged = append(line.Unjudged, a)
			case "not tried":
				line.Untried, line.Why = append(line.Untried, a), append(line.Why, m.why(row, a))
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// explain notes what the search did not do.
func (m *Matrix) explain(r *Result, cfg *Config) {
	m.faults, m.stopped = cfg.Faults, r.stopped(cfg)
}

// someCompletes is the invariant of a search as a whole.
const someCompletes = "some run completes"

// stopped says why there were not more schedules; empty if all were played.
func (r *Result) stopped(cfg *Config) string {
	switch {
	case r.Replayed:
		return "one schedule was replayed"
	case r.Cut:
		return "the time was over"
	case r.Broken != nil && r.Broken.Violation.Invariant != someCompletes:
		return "the search stopped at what is broken"
	case r.Total() >= cfg.Budget:
		return "the budget was used up"
	}
	return ""
}

// why says why an answer was not tried.
func (m *Matrix) why(row string, a Answer) string {
	if before := m.offered[row][a] - 1; before >= m.faults {
		return fmt.Sprintf("comes up only where %d other things went wrong", before)
	}
	return cmp.Or(m.stopped, "chance did not choose it")
}

// leftOut says which answers the author left out.
func leftOut(cfg *Config) (list []string) {
	for _, a := range cfg.Without {
		list = append(list, string(a))
	}
	for _, action := range slices.Sorted(maps.Keys(cfg.WithoutIn)) {
		for _, a := range cfg.WithoutIn[action] {
			list = append(list, string(a)+" in "+action)
		}
	}
	return list
}

// Text writes the matrix as lines.
func (m *Matrix) Text() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, l := range m.Lines() {
		line := l.At + "\theld: " + list(l.Held)
		if len(l.Broken) > 0 {
			line += "\tBROKEN: " + list(l.Broken)
		}
		if len(l.Unjudged) > 0 {
			line += "\t" + unjudged + ": " + list(l.Unjudged) + " (the world has no Fingerprint)"
		}
		for i := 0; i < len(l.Untried); {
			same := i + 1
			for same < len(l.Untried) && l.Why[same] == l.Why[i] {
				same++
			}
			line += "\tnot tried: " + list(l.Untried[i:same]) + " (" + l.Why[i] + ")"
			i = same
		}
		fmt.Fprintln(w, line)
	}
	_ = w.Flush()
	return b.String()
}
