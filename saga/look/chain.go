package look

import (
	"context"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/history"
	"github.com/atonehq/atone/saga/machine"
)

// Latest, as a revision, means the last event of a run.
const Latest = history.Latest

const (
	// maxRead bounds how many runs are read in search of the one that is stuck.
	maxRead = 100
	// maxDepth bounds the chain.
	maxDepth = 32
)

// chain follows the child runs of a run.
type chain struct {
	around Around
	sees   func(saga string) bool
	now    time.Time
	left   int // how many runs may still be read
	depth  int
}

// below returns the chain from the run to the run that it waits for in the end: the one that is
// stuck, if there is one, even where the run itself is busy with something else. Of a run that is
// itself stuck or has ended there is none.
func (c *chain) below(ctx context.Context, s *machine.State, why *explain.Reason) []explain.Link {
	if why.Standing == explain.Stuck || why.Standing == explain.Ended || c.depth >= maxDepth {
		return nil
	}
	c.depth++
	defer func() { c.depth-- }()
	var waits []explain.Link
	for _, st := range c.children(s) {
		if c.left <= 0 || ctx.Err() != nil {
			break
		}
		links := c.link(ctx, st)
		if links[len(links)-1].Standing == explain.Stuck {
			return links
		}
		if waits == nil {
			waits = links
		}
	}
	if why.WaitsFor != explain.ForChild {
		return nil // it waits for something else
	}
	return waits
}

// children lists the steps of the state that wait for a child run, those whose child is known to be
// stuck first.
func (c *chain) children(s *machine.State) []*machine.Step {
	var stuck, others []*machine.Step
	s.Children(func(st *machine.Step, _ bool) {
		if state, _ := c.around.StateOf(st.Child); state == domain.RunIsStuck {
			stuck = append(stuck, st)
		} else {
			others = append(others, st)
		}
	})
	return append(stuck, others...)
}

// link describes the child run of a step, and the runs below it.
func (c *chain) link(ctx context.Context, st *machine.Step) []explain.Link {
	c.left--
	link := explain.Link{At: st.Path, Run: st.Child, Revision: -1}
	s, err := c.around.FoldAt(ctx, st.Child, Latest)
	switch {
	case errors.Is(err, domain.ErrNotFound):
		link.Standing, link.Headline, link.Text = explain.Working, "the child run is to be started", "the child run is to be started"
		return []explain.Link{link}
	case err != nil:
		link.Unseen, link.Standing, link.WaitsFor, link.Text = true, explain.Blocked, explain.ForProgram, "it can't be read: "+err.Error()
		return []explain.Link{link}
	case c.sees != nil && !c.sees(s.Start.Saga):
		link.Unseen, link.Text = true, "your token does not cover its saga"
		return []explain.Link{link}
	}
	l := At(s, c.around) // up: a run of the chain is looked at as the first one is
	why := l.own(c.now)  // up: likewise
	link.Saga, link.Version, link.Key, link.Revision = l.Run.Saga, l.Run.Version, l.Run.Key, why.Revision
	link.State, link.Standing, link.WaitsFor, link.Headline = why.State, why.Standing, why.WaitsFor, why.Headline
	link.Step, link.Direction, link.Next, link.Text = why.Step, why.Direction, why.Next, why.Text
	if len(why.Waits) > 0 {
		link.Wait = &why.Waits[0]
	}
	return append([]explain.Link{link}, c.below(ctx, s, &why)...)
}
