package stand

import (
	"encoding/json"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Run writes how a run stands. overdue reports whether an attempt of a step, which was given up,
// may still have an effect or tell its outcome.
func (w *Buf) Run(s *machine.State, overdue func(step string) bool) {
	w.Raw(s.Run[:])
	w.scratch = s.Fingerprint(w.scratch[:0])
	w.Raw(w.scratch)
	if s.Start.Parent != nil {
		w.Raw(s.Start.Input)
	}
	if s.End == "" {
		w.Time(s.Start.Deadline)
	}
	w.Raw(s.Output)
	w.Failure(s.Cause)
	w.Failure(s.Cancel)
	w.Text(s.Blocked)
	w.Int(s.Incidents) // they name the next
	w.Int(len(s.Left))
	for _, path := range s.Left {
		w.Text(path)
	}
	for _, kept := range s.Signals() {
		w.Text(kept.Name)
		w.Raw(kept.Value)
	}
	s.Open(func(st *machine.Step) { w.Text(st.Path) }) // the order in which they go on
	s.Steps(func(st *machine.Step) { w.step(st, overdue) })
}

func (w *Buf) step(st *machine.Step, overdue func(string) bool) {
	w.Text(st.Path)
	w.Raw(st.Input)
	w.Raw(st.Output)
	w.Raw(st.Late)
	w.Failure(st.Cause)
	w.Int(st.Undos)
	w.Bool(st.ByHand, st.InForce != nil)
	if st.Node.Kind == domain.KindEach {
		for _, item := range st.Kids() { // the undos of an item that failed are told why
			if w.Bool(item == nil); item != nil {
				w.Failure(item.Cause)
			}
		}
	}
	open, late := open(st.Phase), overdue(st.Path)
	if w.Bool(open, late); !open && !late {
		return
	}
	w.Text(st.Incident)
	w.Text(st.Retried)
	w.Text(string(st.RetriedIn))
	w.Time(st.Due)
	w.Bool(st.Instant)
	w.Text(st.Signal)
	w.Text(st.Event)
	w.Text(st.Correlation)
	w.Raw(st.Child[:])
	w.Text(string(st.ChildState))
	if st.InForce != nil {
		policy, _ := json.Marshal(st.InForce) // it came from JSON
		w.Raw(policy)
	}
	w.tries(&st.Do, late)
	w.tries(&st.Undo, late)
	w.tries(&st.Probe, late)
}

// open reports whether a step in the phase owes something or waits: what it tried still counts.
func open(p machine.Phase) bool {
	switch p {
	case machine.Idle, machine.Active, machine.Done, machine.Skipped, machine.Ignored, machine.Undone, machine.Untouched, machine.Left:
		return false
	}
	return true
}

func (w *Buf) tries(t *machine.Tries, late bool) {
	w.Int(t.N)
	w.Int(t.Base)
	w.Int(t.Uncounted)
	w.Bool(t.Running)
	w.Time(t.First)
	w.Time(t.Due)
	w.Time(t.BeatDue)
	w.Time(t.RetryAt)
	w.Failure(t.Cause)
	w.Raw(t.Details)
	if !late {
		return // nobody is left to report
	}
	w.Int(len(t.GaveUp))
	for _, n := range t.GaveUp {
		w.Int(n)
	}
}
