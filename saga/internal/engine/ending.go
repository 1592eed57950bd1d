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
		return &ending{err: domain.EndError(s.Run, state, s.Cause, s.Left)}
	case state == domain.RunIsStuck:
		var stuck *domain.StuckError
		s.StuckSteps(func(st *machine.Step) {
			if stuck == nil {
				stuck = &domain.StuckError{Run: s.Run, Step: st.Path, Incident: st.Incident, Cause: st.Cause}
			}
		})
		return &ending{err: stuck}
	}
	return nil
}
