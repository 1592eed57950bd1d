package outlook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// note adds what a course has come to, unless another one came to the same with fewer surprises.
func (x *search) note(c *course) {
	e := EndOf(c.s)
	if c.s.End == "" {
		e.Waits = c.waits()
	}
	key := fmt.Sprintf("%q", []any{e.State, e.Stuck, e.Waits, e.Left, e.Without})
	if x.ends[key] {
		return
	}
	x.ends[key] = true
	if len(x.act.Ends) == maxEnds {
		x.act.More++
		return
	}
	e.Answers, e.Depends = c.answers, c.depends
	e.Text, e.If = e.words(), ifWords(c)
	x.act.Ends = append(x.act.Ends, e)
}

// EndOf says what a run has come to, save for what it waits for and the sentences.
func EndOf(s *machine.State) End {
	e := End{State: s.Status(), Left: slices.Clone(s.Left)}
	s.StuckSteps(func(st *machine.Step) { e.Stuck = append(e.Stuck, StuckAt{st.Path, st.Direction()}) })
	if s.End == domain.RunIsCompleted {
		s.Steps(func(st *machine.Step) {
			if st.Handler || st.Phase != machine.Skipped && st.Phase != machine.Ignored {
				return
			}
			e.Without = append(e.Without, st.Path)
			if st.InDoubt && st.Node.Action != nil && st.Node.Action.Effect != domain.EffectNone {
				e.Left = append(e.Left, st.Path)
			}
		})
	}
	slices.Sort(e.Left)
	e.Left = slices.Compact(e.Left)
	slices.SortFunc(e.Stuck, func(a, b StuckAt) int { return strings.Compare(a.Step, b.Step) })
	return e
}

// waits says what a run waits for that goes no further.
func (c *course) waits() (out []string) {
	if c.s.Paused {
		out = append(out, "somebody to resume it")
	}
	c.s.Open(func(st *machine.Step) {
		switch {
		case st.Phase != machine.Waiting && st.Phase != machine.Undoing:
		case st.Node.Kind == domain.KindChild:
			out = append(out, "the child run of "+st.Path)
		case st.Node.Kind == domain.KindAwait:
			out = append(out, awaitedName(st))
		}
	})
	for _, why := range c.blocked {
		out = append(out, "a program that can go on: "+why)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rank puts good ends before bad ones.
func (e *End) rank() int {
	rank := slices.Index([]domain.RunState{domain.RunIsCompleted, domain.RunIsCompensated, domain.RunIsCancelled, domain.RunIsAbandoned}, e.State)
	switch {
	case len(e.Stuck) > 0:
		return 20
	case rank < 0:
		return 21
	}
	return 2*rank + min(len(e.Left)+len(e.Without), 1)
}
