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
	key := e.key(e.Stuck...)
	if x.ends[key] {
		return
	}
	x.ends[key] = true
	if len(x.act.Ends) == maxEnds || x.combines(&e) {
		x.act.More++
		return
	}
	e.Answers, e.Depends = c.answers, c.depends
	e.Text, e.If = e.words(), ifWords(c)
	x.act.Ends = append(x.act.Ends, e)
}

// key tells the end from others, as if those steps were stuck.
func (e *End) key(stuck ...StuckAt) string {
	return fmt.Sprintf("%q", []any{e.State, stuck, e.Waits, e.Left, e.Without})
}

// combines reports whether several steps are stuck of which each is known to get stuck alone.
func (x *search) combines(e *End) bool {
	return len(e.Stuck) > 1 && !slices.ContainsFunc(e.Stuck, func(at StuckAt) bool { return !x.ends[e.key(at)] })
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
