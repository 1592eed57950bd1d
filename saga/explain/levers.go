package explain

import (
	"errors"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Act is something that a person can do to a run.
type Act string

// The acts.
const (
	ActCancel     Act = "cancel"
	ActPause      Act = "pause"
	ActResume     Act = "resume"
	ActRetry      Act = "retry"
	ActSkip       Act = "skip"
	ActSubstitute Act = "substitute"
	ActAbandon    Act = "abandon"
	ActSignal     Act = "signal"
)

// StuckOnly reports whether the act is about stuck steps.
func (a Act) StuckOnly() bool { return a == ActRetry || a == ActSkip || a == ActSubstitute }

// Lever is an act, and whether it can be done to the run now.
type Lever struct {
	Act Act `json:"act"`
	// Off says why it can't be done now; it is empty where it can.
	Off string `json:"off,omitempty"`
	// Steps are the stuck steps that it can be done to. Only retry, skip and substitute have any.
	Steps []string `json:"steps,omitempty"`
	// Names are the signals that are awaited now, and Later the others that the run may still
	// await: those are kept until then. Only signal has any.
	Names []string `json:"names,omitempty"`
	Later []string `json:"later,omitempty"`
}

// Levers lists every act, with the machine's own answer whether it would be done. It changes
// nothing.
func Levers(s *machine.State, now time.Time) []Lever {
	refused := func(in machine.Intent) string {
		if _, err := machine.Decide(s, in, now); err != nil {
			return offText(err)
		}
		return ""
	}
	out := []Lever{
		{Act: ActRetry, Off: refused(machine.Retry{})},
		{Act: ActSkip, Off: refused(machine.Resolve{How: domain.ResolveSkip})},
		{Act: ActSubstitute, Off: refused(machine.Resolve{How: domain.ResolveSkip})},
		{Act: ActResume, Off: refused(machine.Resume{})},
		{Act: ActPause, Off: refused(machine.Pause{})},
		{Act: ActSignal, Off: refused(machine.Signal{}), Names: awaited(s)},
		{Act: ActCancel, Off: refused(machine.Cancel{})},
		{Act: ActAbandon, Off: refused(machine.Abandon{})},
	}
	signal := &out[5]
	for _, name := range toCome(s) {
		if !slices.Contains(signal.Names, name) {
			signal.Later = append(signal.Later, name)
		}
	}
	s.StuckSteps(func(st *machine.Step) {
		for i := range out[:3] {
			if out[i].Act != ActSubstitute || st.Phase == machine.Stuck {
				out[i].Steps = append(out[i].Steps, st.Path)
			}
		}
	})
	for i := range out {
		if l := &out[i]; l.Off == "" {
			l.Off = idle(s, l)
		}
	}
	return out
}

// idle says why an act that is not refused would change nothing.
func idle(s *machine.State, l *Lever) string {
	switch {
	case l.Act == ActSubstitute && len(l.Steps) == 0:
		return machine.ErrNoOutput.Error()
	case l.Act == ActSignal && len(l.Names)+len(l.Later) == 0:
		if s.Turning {
			return "the run is turning back: no step will take a signal"
		}
		return "no step that the run may still come to awaits a signal"
	}
	return ""
}

// awaited lists the names of the signals that the run awaits now.
func awaited(s *machine.State) (names []string) {
	s.Open(func(st *machine.Step) {
		if st.Phase == machine.Waiting && st.Signal != "" && !slices.Contains(names, st.Signal) {
			names = append(names, st.Signal)
		}
	})
	return names
}

func offText(err error) string {
	switch {
	case errors.Is(err, machine.ErrEnded):
		return err.Error()
	case errors.Is(err, machine.ErrNotStuck):
		return "no step of the run is stuck"
	case errors.Is(err, machine.ErrStale):
		return "the run has not begun"
	}
	return err.Error()
}

// Permit returns the levers for a person who may or may not operate runs and send signals: those
// that the person may not pull say so.
func Permit(levers []Lever, operate, signal bool) []Lever {
	out := slices.Clone(levers)
	for i := range out {
		switch l := &out[i]; {
		case l.Act == ActSignal && !signal:
			l.Off = "your token lacks the scopes start and operate: it may not signal"
		case l.Act != ActSignal && !operate:
			l.Off = "your token lacks the scope operate"
		}
	}
	return out
}

// Lever returns the lever of an act, nil where it is not listed.
func (r *Reason) Lever(act Act) *Lever {
	for i := range r.Levers {
		if r.Levers[i].Act == act {
			return &r.Levers[i]
		}
	}
	return nil
}
