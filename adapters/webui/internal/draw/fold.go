package draw

import (
	"slices"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/saga/machine"
)

// Rows says which rows of a timeline are drawn.
type Rows struct {
	// Show selects steps: "" all, "open" those not yet settled, "failed" those with a failure.
	Show string
	// Find selects steps whose path has the text, whatever its case.
	Find string
	// Open is the step whose parts are all shown. Other steps with many parts are folded.
	Open string
	// From is the number of rows before the first one that is drawn.
	From int
}

// MaxRows is the most rows of one page: each row is a dozen nodes for the browser.
const MaxRows = 120

// A step with more than foldAbove parts is folded: it shows the parts that need a look, at most
// foldShown, and counts the others by phase.
const (
	foldAbove = 24
	foldShown = 20
)

// fold stands for the parts of a step that are not shown.
type fold struct {
	// Path is the path of the step. Text counts its hidden parts by phase.
	Path, Text string
}

// folded decides which parts of a step are shown, and marks the others in hidden. It returns the
// fold that stands for the others, or nil if all are shown.
func folded(st *machine.Step, kids []*machine.Step, hidden map[*machine.Step]bool) *fold {
	if len(kids) <= foldAbove {
		return nil
	}
	urgent := slices.Clone(kids)
	slices.SortStableFunc(urgent, func(a, b *machine.Step) int { return worst(a) - worst(b) })
	counts := map[machine.Phase]int{}
	n := 0
	for i, k := range urgent {
		if i < foldShown && !calm(k.Phase) {
			continue
		}
		hidden[k] = true
		counts[k.Phase]++
		n++
	}
	if n == 0 {
		return nil
	}
	var parts []string
	for _, p := range telling {
		if counts[p] > 0 {
			parts = append(parts, format.Number(int64(counts[p]))+" "+p.String())
		}
	}
	return &fold{Path: st.Path, Text: strings.Join(parts, ", ")}
}

// worst orders steps by how much they need a look: by the worst phase of the step and its parts.
func worst(st *machine.Step) int {
	at := slices.Index(telling, st.Phase)
	if at < 0 {
		at = len(telling)
	}
	for _, k := range st.Kids() {
		if k != nil {
			at = min(at, worst(k))
		}
	}
	return at
}

// calm reports whether a step in the phase needs no look.
func calm(p machine.Phase) bool {
	return p == machine.Done || p == machine.Undone || p == machine.Skipped || p == machine.Untouched || p == machine.Ignored
}

// named lists the named parts of a step. Sequences have no names: it lists their parts instead.
func named(st *machine.Step) []*machine.Step {
	var out []*machine.Step
	for _, k := range st.Kids() {
		switch {
		case k == nil:
		case k.Path == "":
			out = append(out, named(k)...)
		default:
			out = append(out, k)
		}
	}
	return out
}
