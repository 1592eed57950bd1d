package outlook

import (
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// doable is an act and the intents that carry it out.
type doable struct {
	Act
	in func(*tokens) machine.Intent // nil for doing nothing
}

// maxStuck is up to how many stuck steps the acts on each of them are told apart.
const maxStuck = 3

// actsOf lists what a person can do now and the machine would not refuse, in the order in which
// people think of it.
func actsOf(s *machine.State, now time.Time) (acts []doable) {
	acts = append(acts, doable{Act: Act{Act: ActWait}})
	var stuck []*machine.Step
	s.StuckSteps(func(st *machine.Step) { stuck = append(stuck, st) })
	if len(stuck) <= maxStuck {
		for _, st := range stuck {
			acts = append(acts, onStuck(st.Path, st.Phase == machine.UndoStuck)...)
		}
	}
	if len(stuck) > 1 {
		undo := false
		for _, st := range stuck {
			undo = undo || st.Phase == machine.UndoStuck
		}
		acts = append(acts, onStuck("", undo)...)
	}
	if s.Paused {
		acts = append(acts, always(explain.ActResume, machine.Resume{}))
	}
	if s.Cancel == nil {
		acts = append(acts, always(explain.ActCancel, machine.Cancel{Reason: "outlook"}))
	}
	acts = append(acts, always(explain.ActAbandon, machine.Abandon{Reason: "outlook"}))
	var can []doable
	for _, a := range acts {
		if a.in != nil {
			if _, err := machine.Decide(s, a.in(new(tokens)), now); err != nil {
				continue
			}
		}
		a.Text = a.words()
		can = append(can, a)
	}
	return can
}

func always(act explain.Act, in machine.Intent) doable {
	return doable{Act{Act: act}, func(*tokens) machine.Intent { return in }}
}

// onStuck lists the acts on a stuck step, or with an empty path on all. undo means that the undo is
// stuck, for which there is no output.
func onStuck(path string, undo bool) []doable {
	a := Act{Act: explain.ActRetry, Step: path}
	if path != "" {
		a.Direction = domain.Do
		if undo {
			a.Direction = domain.Undo
		}
	}
	retry, skip, substitute := a, a, a
	skip.Act, substitute.Act = explain.ActSkip, explain.ActSubstitute
	out := []doable{
		{retry, func(*tokens) machine.Intent { return machine.Retry{Step: path} }},
		{skip, func(*tokens) machine.Intent { return machine.Resolve{Step: path, How: domain.ResolveSkip} }},
	}
	if !undo {
		out = append(out, doable{substitute, func(t *tokens) machine.Intent {
			label := "the output that you give"
			if path != "" {
				label += " for " + path
			}
			return machine.Resolve{Step: path, How: domain.ResolveSubstitute, Output: t.value(label)}
		}})
	}
	return out
}
