package outlook

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// settle answers what the run owes until nothing is left that can be answered. It reports whether
// the course goes on.
func (x *search) settle(c *course) bool {
	type owed struct {
		duty machine.Duty
		step *machine.Step
	}
	for {
		var list []owed
		c.blocked = nil
		c.s.Todo(c.now, func(d machine.Duty, st *machine.Step) bool {
			list = append(list, owed{d, st})
			return true
		})
		progress := false
		for _, o := range list {
			did := x.answer(c, o.duty, o.step)
			if x.cut != nil {
				return false
			}
			if x.looked > x.most {
				x.cut = errMuch
				return false
			}
			progress = did || progress
		}
		if !progress {
			return true
		}
	}
}

// answer performs one duty, and reports whether anything came of it.
func (x *search) answer(c *course, d machine.Duty, st *machine.Step) bool {
	switch {
	case d == machine.Conclude:
		return x.decide(c, machine.Consequence{Step: st.Path})
	case d == machine.TurnNow:
		return x.decide(c, machine.Proceed{})
	case d == machine.Pass:
		return x.decide(c, machine.Passed{Step: st.Path})
	case d == machine.End && (!c.s.Plan.Returns || c.s.Turning):
		return x.finish(c, machine.Finish{})
	}
	if why := x.q.Code.Lacks(c.s, d, st); why != "" {
		return c.block(why)
	}
	if d == machine.Start {
		return x.decide(c, machine.Begin{Step: st.Path})
	}
	reply := x.q.Code.Answer(c.s, d, st, c.now, x.tokens.needs)
	switch {
	case reply.Hangs:
		x.cut = errHangs
		return false
	case reply.Blocked != "":
		return c.block(reply.Blocked)
	case len(reply.Needs) > 0:
		return x.branch(c, d, st, reply.Needs)
	}
	if in, ok := reply.Intent.(machine.Finish); ok {
		return x.finish(c, in)
	}
	return x.decide(c, reply.Intent)
}

func (c *course) block(why string) bool {
	if !slices.Contains(c.blocked, why) {
		c.blocked = append(c.blocked, why)
	}
	return false
}

// finish ends a run, which may turn out to be impossible.
func (x *search) finish(c *course, in machine.Finish) bool {
	_, err := machine.Decide(c.s, in, c.now)
	if noEnd := (*domain.NoEndError)(nil); errors.As(err, &noEnd) {
		return c.block(noEnd.Reason)
	}
	return x.decide(c, in)
}

// option is one way in which code may answer that needs what is not recorded yet.
type option struct {
	Answer
	in machine.Intent
}

// branch goes every way in which code may answer that needs what is not recorded yet: this course
// the first, others the rest.
func (x *search) branch(c *course, d machine.Duty, st *machine.Step, needs []string) bool {
	fails := Answer{Gives: CodeFails}
	why := &domain.Failure{Kind: domain.FailurePermanent, Message: "the saga's code for this step failed: " + x.tokens.text(needs...)}
	if st != nil {
		fails.Step, why.Step = st.Path, st.Path
	}
	in := failing(d, st, why)
	fork := func(surprises int, in machine.Intent, a Answer) {
		x.fork(c, surprises, func(c *course) bool {
			c.dependOn(needs)
			if x.decide(c, in) {
				return true
			}
			c.block("the saga's output can't be made")
			x.note(c)
			return false
		}, a.spell())
	}
	fork(1, in, fails)
	options := x.options(d, st, x.tokens.value(needs...))
	for _, o := range options[1:] {
		fork(0, o.in, o.Answer)
	}
	if o := options[0]; o.Gives != "" {
		c.dependOn(needs)
		c.answers = append(slices.Clip(c.answers), o.spell())
	}
	return x.decide(c, options[0].in)
}

func (c *course) dependOn(needs []string) {
	for _, need := range needs {
		if !slices.Contains(c.depends, need) {
			c.depends = append(slices.Clip(c.depends), need)
		}
	}
}

// options lists how code may answer if it does not fail. The value is made of what it needs.
func (x *search) options(d machine.Duty, st *machine.Step, value json.RawMessage) []option {
	if d == machine.End {
		return []option{{in: machine.Finish{Output: value}}}
	}
	path := st.Path
	if d == machine.Expand {
		x.missed = cmp.Or(x.missed, errPlans) // which steps it may plan nobody knows
		return []option{{Answer{Step: path, Gives: Planned}, machine.Planned{Step: path, Round: len(st.Kids())/2 + 1, Done: true, Output: value}}}
	}
	switch n := st.Node; n.Kind {
	case domain.KindSwitch:
		return branches(path, n)
	case domain.KindEach:
		items := []json.RawMessage{value}
		if n.Tolerate > 0 {
			items = append(items, value)
		}
		return []option{
			{Answer{Step: path, Gives: Items}, machine.Listed{Step: path, Items: items}},
			{Answer{Step: path, Gives: Items, Name: "none"}, machine.Listed{Step: path}},
		}
	case domain.KindSleep:
		return []option{{in: machine.Timed{Step: path, For: time.Minute}}}
	case domain.KindAwait:
		return []option{{in: machine.Opened{Step: path, Correlation: string(value)}}}
	}
	return []option{{in: machine.Evaluated{Step: path, Value: value}}}
}

// branches lists the branches of a switch, and that it takes none where it has none for the rest.
func branches(path string, n *domain.Node) (out []option) {
	rest := false
	for i, name := range n.Cases {
		rest = rest || name == "else" || name == "otherwise"
		out = append(out, option{Answer{Step: path, Gives: Takes, Name: name}, machine.Chosen{Step: path, Branch: i, Case: name}})
	}
	if !rest {
		out = append(out, option{Answer{Step: path, Gives: Takes}, machine.Chosen{Step: path, Branch: -1}})
	}
	return out
}

// failing is the answer of code that fails.
func failing(d machine.Duty, st *machine.Step, why *domain.Failure) machine.Intent {
	switch {
	case d == machine.End:
		return machine.Finish{Failure: why}
	case d == machine.Expand:
		return machine.Planned{Step: st.Path, Round: len(st.Kids())/2 + 1, Failure: why}
	}
	switch st.Node.Kind {
	case domain.KindSwitch:
		return machine.Chosen{Step: st.Path, Failure: why}
	case domain.KindEach:
		return machine.Listed{Step: st.Path, Failure: why}
	case domain.KindSleep:
		return machine.Timed{Step: st.Path, Failure: why}
	case domain.KindAwait:
		return machine.Opened{Step: st.Path, Failure: why}
	}
	return machine.Evaluated{Step: st.Path, Failure: why}
}
