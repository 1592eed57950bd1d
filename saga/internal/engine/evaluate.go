package engine

import (
	"cmp"
	"fmt"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/evaluate"
	"github.com/atonehq/atone/saga/machine"
)

// evaluate computes what a step needs with the definition's code, and decides on the answer.
func (t *turnState) evaluate(d machine.Duty, st *machine.Step) error {
	if t.a.def == nil && d != machine.Expand {
		return t.blockForPlan()
	}
	code := t.code()
	if st.Node.Kind == domain.KindDo {
		return t.begin(st, func() (machine.Intent, error) { return code.Answer(d, st) })
	}
	in, err := code.Answer(d, st)
	if err != nil {
		return err
	}
	return t.decide(in)
}

// end finishes a run whose plan is done or undone.
func (t *turnState) end() error {
	a := t.a
	if a.State.Plan.Returns && !a.State.Turning && a.def == nil {
		return t.blockForPlan()
	}
	return t.decide(t.code().End())
}

// code is the code of the run's saga as this turn calls it.
func (t *turnState) code() *evaluate.Code {
	a := t.a
	return &evaluate.Code{Def: a.def, State: a.State, Memo: a.memo, Now: t.now, Node: a.engine.cfg.Incarnation,
		Action: a.engine.cfg.Registry.Action, Call: t.call, Mask: t.maskClosure}
}

// call is [contain.Closure] for a turn. A read that has no value blocks the run instead of failing
// the step. Code that hangs keeps the state that it looks at: the turn is then decided again on a
// state of its own, and the step fails without a second call.
func (t *turnState) call(path string, f func() (any, error)) (any, *domain.Failure) {
	if failure := t.a.hung[path]; failure != nil {
		return nil, failure
	}
	value, err := contain.CallOn(t.a.engine.cfg.Hands(), contain.ClosureLimit, f)
	if bad := definition.BadRead(err); bad != nil {
		t.badRead = t.maskClosure(&domain.Failure{Message: fmt.Sprintf("%s: %v: mend the saga's code and deploy it", cmp.Or(path, "its output"), bad)}).Message
		return nil, nil
	}
	failure := t.maskClosure(contain.Failure(path, err))
	if failure != nil {
		value = nil
	}
	if failure != nil && failure.Type == contain.Hangs {
		if t.a.hung == nil {
			t.a.hung = make(map[string]*domain.Failure)
		}
		t.a.hung[path], t.stale = failure, true
	}
	return value, failure
}

func (t *turnState) blockForPlan() error {
	s := t.a.State.Start
	if why := t.a.State.Plan.Unread(); why != "" {
		return t.block(fmt.Sprintf("saga %s v%d: %s", s.Saga, s.Version, why))
	}
	return t.block(fmt.Sprintf("no program here has saga %s v%d with plan %.12s: deploy one that registers it", s.Saga, s.Version, s.Plan))
}
