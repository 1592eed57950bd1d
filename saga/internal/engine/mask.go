package engine

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/machine"
)

// This file keeps secret values out of the texts of errors. They are taken out once, before a
// failure is recorded, logged, traced or reported, because a message goes to too many places to
// check each.

// maskOutcome takes the secret values of the run's input and of the step's own payloads out of an
// outcome's failure.
func (t *turnState) maskOutcome(in machine.Intent) machine.Intent {
	o, ok := in.(machine.Outcome)
	if !ok || o.Failure == nil {
		return in
	}
	s := t.a.State
	hidden := s.Plan.Secrets()
	if len(hidden) == 0 {
		return in
	}
	cloak := secret.NewCloak(hidden)
	cloak.Learn(s.Start.Input)
	if st := s.Step(o.Step); st != nil {
		cloak.Learn(st.Input, st.Output, st.Late)
	}
	o.Failure = cloak.Failure(o.Failure)
	return o
}

// maskRead bounds how many bytes of a run's payloads are looked through for one failure of a saga's
// own code, which may have read any of them.
const maskRead = 4 << 20

// maskClosure takes the secret values of the run out of a failure of the saga's own code. If the
// run has too many payloads to look through, the whole text is left out.
func (t *turnState) maskClosure(f *domain.Failure) *domain.Failure {
	s := t.a.State
	if f == nil || s.Plan == nil || len(s.Plan.Secrets()) == 0 {
		return f
	}
	cloak, read := secret.NewCloak(s.Plan.Secrets()), len(s.Start.Input)
	cloak.Learn(s.Start.Input)
	s.Steps(func(st *machine.Step) {
		if read += len(st.Input) + len(st.Output); read <= maskRead {
			cloak.Learn(st.Input, st.Output)
		}
	})
	if read > maskRead {
		masked := *f
		masked.Message, masked.Stack = "the saga's code for this step failed; what it says is left out, as it may hold secrets of this large run", ""
		return &masked
	}
	return cloak.Failure(f)
}
