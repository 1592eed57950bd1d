package evaluate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/hands"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/outlook"
)

// Recorded is the code of a run's saga, called on values that are recorded and on no others. It
// implements [outlook.Code].
type Recorded struct {
	// Def is nil where the program does not have the code.
	Def      *definition.Definition
	Registry *definition.Registry
	// Hands is where the code runs; nil means a goroutine for each call.
	Hands *hands.Pool
}

// recordedLimit is how long the code may take that is called for an outlook.
const recordedLimit = time.Second

// Policy implements [outlook.Code].
func (r Recorded) Policy(st *machine.Step) *domain.Policy { return r.Registry.PolicyOf(r.Def, st) }

// Lacks implements [outlook.Code].
func (r Recorded) Lacks(s *machine.State, d machine.Duty, st *machine.Step) string {
	switch {
	case r.Def == nil && (d == machine.Evaluate || d == machine.End):
		return fmt.Sprintf("no program here has saga %s v%d", s.Start.Saga, s.Start.Version)
	case st == nil || st.Node.Action == nil || d == machine.Expand || r.Registry.Action(st.Node.Action.Name) != nil:
		return ""
	}
	return fmt.Sprintf("no worker here has the action %q", st.Node.Action.Name)
}

// Answer implements [outlook.Code].
func (r Recorded) Answer(s *machine.State, d machine.Duty, st *machine.Step, now time.Time, needs outlook.Needs) (reply outlook.Reply) {
	// Code that hangs may still write here.
	read, hangs, blocked := new([]string), false, ""
	code := &Code{Def: r.Def, State: s, Now: now, Action: r.Registry.Action,
		Mask: func(f *domain.Failure) *domain.Failure { return f },
		Reads: func(value json.RawMessage) bool {
			n := needs(value)
			*read = append(*read, n...)
			return len(n) > 0
		},
		Call: func(path string, f func() (any, error)) (any, *domain.Failure) {
			value, err := contain.CallOn(r.Hands, recordedLimit, f)
			if hangs = contain.Hung(err); hangs {
				return nil, contain.Failure(path, err)
			}
			if bad := definition.BadRead(err); bad != nil {
				blocked = fmt.Sprintf("%s: %v: mend the saga's code and deploy it", cmp.Or(path, "its output"), bad)
			}
			if err != nil {
				return nil, contain.Failure(path, err)
			}
			return value, nil
		}}
	switch {
	case d == machine.End:
		reply.Intent = code.End()
	case d == machine.Expand && code.Reads(plannerOf(st).Output):
	case d == machine.Evaluate && r.Def.Code[st.Node.Key].Reject != nil:
		// It fails, whatever it says.
		reply.Intent = machine.Evaluated{Step: st.Path, Failure: &domain.Failure{Kind: domain.FailurePermanent, Step: st.Path, Type: domain.FailureRejected}}
		return reply
	default:
		in, err := code.Answer(d, st)
		if reply.Intent = in; err != nil {
			reply.Blocked = err.Error()
		}
	}
	switch {
	case hangs:
		return outlook.Reply{Hangs: true}
	case len(*read) > 0:
		return outlook.Reply{Needs: *read}
	case blocked != "":
		return outlook.Reply{Blocked: blocked}
	}
	return reply
}
