package explore

import (
	"context"
	"fmt"
	"slices"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/visible"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explore"
)

// record records what was found, save where not everything was tried.
func (c *command) record(ctx context.Context, found []Found) error {
	found = slices.DeleteFunc(found, func(f Found) bool { // the exit code says so
		return !f.Result.Breaks() && !f.Result.Complete()
	})
	if len(found) == 0 {
		return nil
	}
	return c.env.With(ctx, access.Use{Makes: true}, func(ctx context.Context, to *client.Client) error {
		for i := range found {
			f := &found[i]
			if _, err := to.RecordExploration(ctx, f.plan.Saga, f.evidence(c.env.Program.Build())); err != nil {
				return fmt.Errorf("%s: %w", f.offer, err)
			}
			if c.env.JSON() {
				continue
			}
			if _, err := fmt.Fprintf(c.env.Out, "%s: recorded\n", f.offer); err != nil {
				return err
			}
		}
		return nil
	})
}

// The bounds of what is recorded; longer texts and lists are cut.
const (
	maxText = 1_900
	maxList = 100
)

// evidence is the result as it is recorded.
func (f *Found) evidence(b evidence.Build) evidence.Exploration {
	r := f.Result
	var names []string
	for _, name := range f.Invariants() {
		names = append(names, visible.Line(name))
	}
	out := evidence.Exploration{Version: f.plan.Version, Plan: f.plan.Hash(), Build: b, Schedules: r.Schedules, Of: r.Of, Others: r.Others,
		Invariants: names[:min(len(names), maxList)]}
	for _, l := range r.Answers {
		for _, a := range append(slices.Clone(l.Held), l.Broken...) {
			out.Answers = append(out.Answers, string(a))
		}
	}
	slices.Sort(out.Answers)
	out.Answers = slices.Compact(out.Answers)
	out.Answers = out.Answers[:min(len(out.Answers), maxList)]
	if r.Breaks() {
		out.Broken = violation(r.Broken)
	}
	return out
}

func violation(b *explore.Broken) *evidence.Violation {
	return &evidence.Violation{Invariant: domain.CutText(visible.Line(b.Invariant), 900),
		Text: domain.CutText(plainLines(b.Text), maxText), Schedule: domain.CutText(visible.Line(b.Schedule), maxText)}
}
