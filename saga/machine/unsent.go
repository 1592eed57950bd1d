package machine

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Unsent says that the time of the attempt in flight is over and that no worker ever had it: the
// broker refused it each time. Nothing was done, and it uses up no retry.
type Unsent struct {
	Step      string
	Direction domain.Direction
	Attempt   int
	Reason    string
}

// unsentDelay is when an attempt that the broker refused is followed by another.
const unsentDelay = time.Second

func (in Unsent) decide(s *State, now time.Time) ([]domain.Event, error) {
	st, err := s.find(in.Step)
	if err != nil {
		return nil, err
	}
	if t := st.tries(in.Direction); !t.Running || t.N != in.Attempt {
		return nil, ErrStale
	}
	e := &domain.AttemptFailed{Step: st.Path, Direction: in.Direction, Attempt: in.Attempt, Uncounted: true,
		// Lost, so that an outcome is a fact all the same, should a broker that refused it have kept it.
		Cause: domain.Failure{Kind: domain.FailureLost, Step: st.Path, Message: in.Reason}}
	if !(in.Direction == domain.Do && st.Turning) {
		e.RetryAt = now.Add(unsentDelay)
	}
	return one(e)
}
