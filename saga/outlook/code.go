package outlook

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Code is the code of a run's saga, called on values that are recorded and on no others.
type Code interface {
	// Policy returns the policy that this program has for a step's action; nil where it has none.
	Policy(st *machine.Step) *domain.Policy
	// Lacks says why this program can't do what the run owes; "" if it can.
	Lacks(s *machine.State, d machine.Duty, st *machine.Step) string
	// Answer answers a duty to evaluate or to expand, or, with a nil step, that to end the run.
	Answer(s *machine.State, d machine.Duty, st *machine.Step, now time.Time, needs Needs) Reply
}

// Needs returns what a value has that is not recorded yet, in words such as "what charge-card
// returns".
type Needs func(value json.RawMessage) []string

// Reply is what the code answers.
type Reply struct {
	Intent machine.Intent
	// Needs is what the code read that is not recorded yet; then there is no other answer.
	Needs []string
	// Blocked says why the run can't go on with this code.
	Blocked string
	// Hangs means that the code did not return. It may still read the state.
	Hangs bool
}

// noCode stands for a program that has no code.
type noCode struct{}

func (noCode) Policy(*machine.Step) *domain.Policy { return nil }

func (noCode) Lacks(*machine.State, machine.Duty, *machine.Step) string {
	return "no program is at hand that has the code"
}

func (noCode) Answer(*machine.State, machine.Duty, *machine.Step, time.Time, Needs) (r Reply) {
	return r
}
