package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Finding is one problem in the log: an event that was changed, added or moved, or is missing.
type Finding struct {
	Stream   string `json:"stream"`
	Revision uint64 `json:"revision"`
	// Type is the event's wire name; empty for an event that is missing.
	Type string `json:"type,omitempty"`
	// Problem says in a sentence what is wrong.
	Problem string `json:"problem"`
}

// String returns the finding as a sentence.
func (f Finding) String() string {
	if f.Type == "" {
		return fmt.Sprintf("%s revision %d: %s", f.Stream, f.Revision, f.Problem)
	}
	return fmt.Sprintf("%s revision %d (%s): %s", f.Stream, f.Revision, f.Type, f.Problem)
}

// Report is the result of a check of the log.
type Report struct {
	// Runs and Events count what was checked, Anchored the heads of anchors that were compared.
	Runs, Events, Anchored int
	// Findings is empty if the log is as it was written. It has the first 1,000 findings; Found
	// counts all.
	Findings []Finding
	Found    int
	// Heads are the ends of the runs' chains, for an anchor, sorted by run.
	Heads []Head
}

// OK reports whether nothing was found.
func (v *Report) OK() bool { return v.Found == 0 }

const keptFindings = 1000

func (v *Report) found(stream string, revision uint64, eventType, problem string) {
	if v.Found++; v.Found <= keptFindings {
		v.Findings = append(v.Findings, Finding{Stream: stream, Revision: revision, Type: eventType, Problem: problem})
	}
}

// Run checks the chain of one run and compares it with the anchors. It finds any event that was
// changed, removed from between others, inserted or reordered, unless all hashes after it were
// rewritten as well; with anchors it also finds a rewritten chain and a removed end.
//
// The error is one of reading the log, or [projections.ErrNotFound] for a run that neither the log
// nor an anchor knows. What is wrong with the events is in the report.
func Run(ctx context.Context, source projections.Source, run domain.RunID, anchors ...*Anchor) (*Report, error) {
	c := newChecker(anchors)
	for id := range c.anchored {
		if id != run {
			delete(c.anchored, id)
		}
	}
	for r, err := range source.ReadStream(ctx, domain.RunStream(run), 0) {
		if err != nil {
			return nil, fmt.Errorf("verify run %s: %w", run, err)
		}
		c.check(run, &r)
	}
	if len(c.chains) == 0 && len(c.anchored) == 0 {
		return nil, fmt.Errorf("verify run %s: %w", run, projections.ErrNotFound)
	}
	return c.finish(), nil
}

// All checks the chains of all runs, and that each plan is the one that its hash names, in one pass
// over the log. It keeps about 200 bytes of memory for each run. See [Run].
func All(ctx context.Context, source projections.Source, anchors ...*Anchor) (*Report, error) {
	c := newChecker(anchors)
	filter := domain.Filter{Prefixes: []string{domain.RunPrefix, domain.PlanPrefix}}
	for r, err := range source.ReadAll(ctx, 0, filter) {
		if err != nil {
			return nil, fmt.Errorf("verify the log: %w", err)
		}
		if run, ok := domain.RunOfStream(r.Stream); ok {
			c.check(run, &r)
		} else if hash, ok := strings.CutPrefix(r.Stream, domain.PlanPrefix); ok && domain.ReservedStream(r.Stream) {
			c.checkPlan(hash, &r)
		}
	}
	return c.finish(), nil
}

// chain is the end of a run's chain so far.
type chain struct {
	next uint64
	hash domain.ChainHash
}

type checker struct {
	Report
	chains   map[domain.RunID]*chain
	anchored map[domain.RunID][]Head
}

func newChecker(anchors []*Anchor) *checker {
	c := &checker{chains: make(map[domain.RunID]*chain), anchored: make(map[domain.RunID][]Head)}
	for _, a := range anchors {
		for _, h := range a.Heads {
			c.anchored[h.Run] = append(c.anchored[h.Run], h)
		}
	}
	return c
}

// check follows the run's chain over one more event. After a break it continues from the hash that
// the event carries, so it reports each tampered event and not all events after it.
func (c *checker) check(run domain.RunID, r *domain.Recorded) {
	c.Events++
	ch := c.chains[run]
	if ch == nil {
		ch = &chain{}
		c.chains[run] = ch
	}
	switch {
	case r.Revision > ch.next:
		c.found(r.Stream, ch.next, "", missing(ch.next, r.Revision))
	case r.Revision < ch.next:
		c.found(r.Stream, r.Revision, r.Type, "the event is out of order: it comes after revision "+fmt.Sprint(ch.next-1))
	}
	hash, err := domain.Verify(r, ch.hash)
	if err != nil {
		c.found(r.Stream, r.Revision, r.Type, broken(err))
		hash = carried(r)
	}
	ch.hash, ch.next = hash, r.Revision+1
	for _, h := range c.anchored[run] {
		if h.Revision == r.Revision {
			c.Anchored++
			if h.Hash != hash {
				c.found(r.Stream, r.Revision, r.Type, "the anchor has another hash here: the run's history was rewritten")
			}
		}
	}
}

func missing(from, to uint64) string {
	if to == from+1 {
		return "the event is missing"
	}
	return fmt.Sprintf("the events up to revision %d are missing", to-1)
}

// broken explains a failed check of an event.
func broken(err error) string {
	if !errors.Is(err, domain.ErrTampered) {
		return err.Error()
	}
	return "it does not follow from the event before it: it was changed, inserted or moved, or the one before was replaced"
}

// carried returns the hash in the event's metadata, or the zero hash.
func carried(r *domain.Recorded) domain.ChainHash {
	i := bytes.LastIndex(r.Metadata, []byte(`"hash":"`))
	if i < 0 {
		return domain.ChainHash{}
	}
	text, _, _ := bytes.Cut(r.Metadata[i+len(`"hash":"`):], []byte(`"`))
	h, err := domain.ParseChainHash(string(text))
	if err != nil {
		return domain.ChainHash{}
	}
	return h
}

func (c *checker) checkPlan(hash string, r *domain.Recorded) {
	c.Events++
	plan, err := domain.ParsePlan(r.Data)
	switch {
	case err != nil:
		c.found(r.Stream, r.Revision, r.Type, "the plan cannot be read: "+err.Error())
	case plan.Hash() != hash:
		c.found(r.Stream, r.Revision, r.Type, "the plan does not have the hash that its stream is named for: it was changed")
	}
}

// finish lists the heads and reports anchored events that the log lacks.
func (c *checker) finish() *Report {
	for run, ch := range c.chains {
		c.Heads = append(c.Heads, Head{Run: run, Revision: ch.next - 1, Hash: ch.hash})
	}
	slices.SortFunc(c.Heads, func(a, b Head) int { return bytes.Compare(a.Run[:], b.Run[:]) })
	c.Runs = len(c.Heads)
	for run, heads := range c.anchored {
		for _, h := range heads {
			if ch := c.chains[run]; ch == nil || h.Revision >= ch.next {
				c.found(domain.RunStream(run), h.Revision, "", "the event and all events after it are missing: the anchor vouches for it")
			}
		}
	}
	slices.SortStableFunc(c.Findings, func(a, b Finding) int { return strings.Compare(a.Stream, b.Stream) })
	return &c.Report
}
