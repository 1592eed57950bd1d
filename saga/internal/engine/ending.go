package engine

import (
	"encoding/json"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// ending is what [Engine.Wait] is told.
type ending struct {
	output json.RawMessage
	err    error
}

// endingOf returns how the run ended or got stuck, nil if it goes on.
func endingOf(s *machine.State) *ending {
	switch state := s.Status(); {
	case state == domain.RunIsCompleted:
		return &ending{output: s.Output}
	case state.Ended():
		return &ending{err: (&domain.Ending{Run: s.Run, State: state, Cause: s.Cause, Left: s.Left}).Err()}
	case state == domain.RunIsStuck:
		stuck := domain.Ending{Run: s.Run, State: state}
		s.StuckSteps(func(st *machine.Step) {
			if stuck.Step == "" {
				stuck.Step, stuck.Incident, stuck.Cause = st.Path, st.Incident, st.Cause
			}
		})
		return &ending{err: stuck.Err()}
	}
	return nil
}
