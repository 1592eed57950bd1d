package outlook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// open is something that only the world can answer: an attempt in flight, what a step awaits, a
// child run.
type open struct {
	path string
	// kind is the same for those that are answered alike: the items of an each.
	kind    string
	attempt machine.Attempt // Step is nil for none
	await   bool
	name    string // of the signal or event
	child   domain.RunID
	back    bool
}

// other is an answer that deviates from the usual one.
type other struct {
	Answer
	then func(*course) bool
}

// openIn lists what only the world can answer now.
func (x *search) openIn(c *course) (all []open) {
	c.s.InFlight(func(a machine.Attempt) {
		st := a.Step
		all = append(all, open{path: st.Path, attempt: a,
			kind: fmt.Sprint(keyOf(st), " ", a.Direction, a.Number-st.Tries(a.Direction).Base, st.InDoubt, st.Turning)})
	})
	c.s.Children(func(st *machine.Step, back bool) {
		if !slices.Contains(c.silent, st.Path) {
			all = append(all, open{path: st.Path, child: st.Child, back: back, kind: fmt.Sprint(keyOf(st), " child ", back)})
		}
	})
	c.s.Open(func(st *machine.Step) {
		if st.Phase == machine.Waiting && st.Node.Kind == domain.KindAwait && !slices.Contains(c.silent, st.Path) {
			all = append(all, open{path: st.Path, await: true, name: awaitedName(st), kind: fmt.Sprint(keyOf(st), " await")})
		}
	})
	return all
}

func awaitedName(st *machine.Step) string {
	if st.Signal != "" {
		return "signal " + st.Signal
	}
	return "event " + st.Event
}

// keyOf returns what steps have in common that are the same of several items.
func keyOf(st *machine.Step) string {
	if st.Handler {
		return st.Path
	}
	return st.Node.Key
}

// maxAlike is up to how many items that are answered alike may each deviate. Of more, one does.
const maxAlike = 3

// kindsOf returns those that may deviate, of many that are answered alike the first.
func kindsOf(all []open) (kinds []*open) {
	count := make(map[string]int)
	for i := range all {
		count[all[i].kind]++
	}
	for i := range all {
		switch o := &all[i]; {
		case count[o.kind] > maxAlike:
			count[o.kind] = 0
			kinds = append(kinds, o)
		case count[o.kind] > 0:
			kinds = append(kinds, o)
		}
	}
	return kinds
}

// usual gives the answer that is the usual one, and reports whether anything came of it.
func (o *open) usual(x *search, c *course) bool {
	st := c.s.Step(o.path)
	switch {
	case o.attempt.Step != nil:
		out := o.outcome()
		out.Output = x.tokens.value("what " + st.Node.Name + " returns")
		if out.Direction == domain.Probe {
			out.Verdict = domain.Applied
		}
		return x.decide(c, out)
	case o.await && st.Signal != "":
		return x.decide(c, machine.Signal{Name: st.Signal, ID: "outlook " + o.path, Value: x.tokens.value("what the signal " + st.Signal + " brings")})
	case o.await:
		return x.decide(c, machine.EventSeen{Type: st.Event, Correlation: st.Correlation, ID: "outlook " + o.path, Value: x.tokens.value("what the event " + st.Event + " brings")})
	case o.back:
		return x.decide(c, machine.ChildSeen{Step: o.path, Run: o.child, State: domain.RunIsCompensated})
	}
	return x.decide(c, machine.ChildSeen{Step: o.path, Run: o.child, State: domain.RunIsCompleted, Output: x.tokens.value("what the child run of " + o.path + " returns")})
}

// told is the usual answer where it is told: the success of an attempt is not.
func (o *open) told() []Answer {
	switch {
	case o.attempt.Direction == domain.Probe:
		return []Answer{o.says(Applied)}
	case o.await:
		return []Answer{o.says(Arrives)}
	case o.back:
		return []Answer{o.says(Undone)}
	case o.attempt.Step == nil:
		return []Answer{o.says(Completes)}
	}
	return nil
}

func (o *open) outcome() machine.Outcome {
	return machine.Outcome{Step: o.path, Direction: o.attempt.Direction, Attempt: o.attempt.Number}
}

func (o *open) says(g Gives) Answer {
	a := Answer{Step: o.path, Direction: o.attempt.Direction, Attempt: o.attempt.Number, Gives: g, Name: o.name}
	if o.back {
		a.Direction = domain.Undo
	}
	return a.spell()
}

// others lists the answers that deviate from the usual one.
func (o *open) others(x *search, c *course) (out []other) {
	add := func(g Gives, then func(*course) bool) { out = append(out, other{o.says(g), then}) }
	st := c.s.Step(o.path)
	silent := func(c *course) bool { c.silent = append(slices.Clip(c.silent), o.path); return true }
	switch {
	case o.attempt.Direction == domain.Handler: // a run ends the same whatever becomes of it
	case o.attempt.Direction == domain.Probe:
		for g, v := range map[Gives]domain.Verdict{NotApplied: domain.NotApplied, Unknown: domain.Unknown} {
			in := o.outcome()
			in.Verdict = v
			add(g, func(c *course) bool { return x.decide(c, in) })
		}
		slices.SortFunc(out, func(a, b other) int { return strings.Compare(string(a.Gives), string(b.Gives)) })
	case o.attempt.Step != nil:
		endless := x.endless(st, o.attempt.Direction)
		add(Refused, x.fails(o, domain.FailurePermanent, domain.EffectNotDone))
		if !endless {
			add(Fails, x.fails(o, domain.FailureRetryable, domain.EffectNotDone))
		}
		if o.attempt.Direction == domain.Do && st.Node.Action.Effect != domain.EffectNone && (!endless || st.Node.Action.Probe) {
			add(Doubt, x.fails(o, domain.FailureTimedOut, domain.EffectInDoubt))
		}
	case o.await:
		add(Never, silent)
	case o.back:
		if st.Node.NoReturn {
			add(PastPivot, func(c *course) bool {
				return x.decide(c, machine.ChildRefused{Step: o.path, Reason: "it is past its pivot"})
			})
		}
		add(Stays, silent)
	default:
		add(Undone, func(c *course) bool {
			cause := &domain.Failure{Kind: domain.FailurePermanent, Message: x.tokens.text("why the child run of " + o.path + " fails")}
			return x.decide(c, machine.ChildSeen{Step: o.path, Run: o.child, State: domain.RunIsCompensated, Cause: cause})
		})
		add(Stays, silent)
	}
	return out
}

// endless reports whether attempts that fail are followed by others for ever.
func (x *search) endless(st *machine.Step, dir domain.Direction) bool {
	policy := x.q.Code.Policy(st)
	if policy == nil {
		own := st.Policy()
		policy = &own
	}
	retry, _ := policy.For(dir)
	return retry.MaxAttempts == domain.Unlimited && retry.MaxElapsed == 0 && retry.TotalTimeout == 0
}

// maxAttempts bounds the attempts that fail one after the other. What follows after more is not
// looked at.
const maxAttempts = 1_000

// fails has an attempt fail, and those that follow it too, until the step does not try again or is
// to be probed. Of one that is tried for ever there is no such course.
func (x *search) fails(o *open, kind domain.FailureKind, effect domain.FailureEffect) func(*course) bool {
	return func(c *course) bool {
		in := o.outcome()
		for range maxAttempts {
			st := c.s.Step(o.path)
			in.Attempt = st.Tries(in.Direction).N
			in.Failure, in.Effect = &domain.Failure{Kind: kind, Step: o.path, Message: x.tokens.text("why " + st.Node.Name + " fails")}, effect
			x.decide(c, in)
			if st = c.s.Step(o.path); st.Phase != machine.Backoff && st.Phase != machine.UndoBackoff {
				return true
			}
			at := st.Tries(in.Direction).RetryAt
			x.until(c, at)
			if st = c.s.Step(o.path); st.Tries(in.Direction).Running || !x.decide(c, machine.Begin{Step: o.path}) {
				return true // paused, or something else happened to it meanwhile
			}
		}
		x.missed = errMuch
		return false
	}
}
