package explore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/explore/stand"
)

// past is what came of a scene. Two scenes that come to the same state have the same past from
// there.
type past struct {
	broke  bool
	points int // that the scene came to, or would have come to
	end    stand.Key
}

// visit is a state that a scene was in, after so many points.
type visit struct {
	by     *past
	points int
}

// meeting is where a scene came to a state that another was in before. doubted means that it is
// played on all the same, to see whether the same comes of it.
type meeting struct {
	visit
	here    int // points
	doubted bool
}

// fewLooks is how many of its states a schedule notes that no other goes on from. What a choice did
// is made good within a few moves, or makes a difference for long.
const fewLooks = 6

// meets notes the state of the scene, and reports whether what follows is known. A state counts
// once the schedule has no choice left and no handler is in the middle of something: then it says
// all that matters.
func (x *scene) meets() bool {
	if x.met != nil || len(x.plan) > 0 || len(x.aside) > 0 || x.looks == 0 {
		return false
	}
	if x.seen == nil {
		if x.story != nil {
			x.fingerprint() // a story tells of one that panics
		}
		return false
	}
	x.looks--
	key := x.stands()
	was, known := x.seen[key]
	if !known {
		x.seen[key] = visit{x.own, len(x.trace)}
	}
	if !known || was.by == x.own { // else it goes in circles
		return false
	}
	x.met = &meeting{was, len(x.trace), x.cfg.doubts()}
	return !x.met.doubted
}

// doubts reports whether a meeting is to be doubted: each of the first, then some.
func (cfg *Config) doubts() bool {
	cfg.met++
	return cfg.met <= 8 || cfg.met%cmp.Or(cfg.DoubtEach, 64) == 0
}

// errGoesOn says that the same state had two futures.
var errGoesOn = errors.New("it comes to a state that another schedule was in, by the world's Fingerprint, and goes on otherwise than that one did: " +
	"have Fingerprint name everything that handlers and checks depend on, or keep states apart with the option Apart")

// comesTo notes what came of the scene.
func (x *scene) comesTo() error {
	if x.seen == nil {
		return nil
	}
	x.own.broke, x.own.points = x.broken != nil, len(x.trace)
	if m := x.met; m != nil {
		would := past{m.by.broke, m.here + m.by.points - m.points, m.by.end}
		if !m.doubted {
			*x.own = would
			return nil
		}
		if x.own.end = x.endsAt(); *x.own != would {
			return errGoesOn
		}
		return nil
	}
	x.own.end = x.endsAt()
	return nil
}

func (x *scene) endsAt() (k stand.Key) {
	if x.broken == nil {
		k = x.stands()
	}
	return k
}

// breaks reports whether the schedule breaks something, here or in what follows.
func (x *scene) breaks() bool {
	return x.broken != nil || x.met != nil && x.met.by.broke
}

// stands returns the key of everything that the scene's future depends on.
func (x *scene) stands() stand.Key {
	w := &x.cfg.buf
	w.Reset(x.now)
	w.Text(x.fingerprint())
	for i, r := range x.runs {
		w.Int(i)
		w.Run(r.s, func(step string) bool { return x.overdue(r, step) })
		w.Texts(words(r))
	}
	w.Bool(x.registry != x.sub.Registry)
	if len(x.cfg.Inputs) > 1 {
		w.Int(x.turn)
	}
	for _, list := range [...][]*flight{x.flights, x.late} {
		w.Int(len(list))
		for _, fl := range list {
			x.flying(fl)
		}
	}
	x.called()
	w.Texts(x.lasting())
	w.Int(len(x.signals))
	for _, s := range x.signals {
		w.Text(s.run.id)
		w.Text(fmt.Sprintf("%+v", s.in))
	}
	return w.Key()
}

// overdue reports whether an attempt of a step that was given up is still to come.
func (x *scene) overdue(r *run, step string) bool {
	is := func(fl *flight) bool { return fl.run == r && fl.task.Step == step }
	return slices.ContainsFunc(x.late, is) || slices.ContainsFunc(x.flights, func(fl *flight) bool { return fl.silent && is(fl) })
}

// words lists what people and probes said of a run's steps: checks take their word.
func words(r *run) (list []string) {
	for _, f := range r.facts {
		switch e := f.Event.(type) {
		case *domain.StepResolved:
			list = append(list, "resolved "+e.Step)
		case *domain.StepProbed:
			if e.Verdict == domain.Applied {
				list = append(list, "probed "+e.Step)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// flying writes an attempt under way.
func (x *scene) flying(fl *flight) {
	w, t := &x.cfg.buf, fl.task
	w.Text(fl.name)
	w.Bool(fl.silent, fl.stray, fl.asked, t.InDoubt, fl.report != nil)
	w.Text(t.Key)
	w.Raw(t.Input)
	w.Raw(t.Output)
	w.Raw(t.Details)
	w.Failure(t.Cause)
	w.Time(t.Due)
	if r := fl.report; r != nil {
		w.Raw(r.Output)
		w.Failure(r.Failure)
		w.Text(string(r.Effect))
		w.Text(string(r.Verdict))
		for _, e := range r.Emitted {
			w.Text(e.Type)
			w.Raw(e.Payload)
		}
	}
}

// lasting lists what goes on of what was answered and asked.
func (x *scene) lasting() (list []string) {
	for at, a := range x.sticky {
		list = append(list, "sticky "+at+" = "+string(a))
	}
	for at := range x.asked {
		list = append(list, "asked "+at)
	}
	// An undo that fails by itself is told from one that was made to fail.
	for _, p := range x.trace {
		if p.given == OK {
			continue
		}
		if at := stickyAt(p.at); strings.HasSuffix(at, " undo") {
			list = append(list, "spoilt "+at)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// called writes what the ledger says of each step. Of the order of calls it writes what tells
// whether undos come in reverse: which dos began before the last effect of a step before them.
func (x *scene) called() {
	w, sums := &x.cfg.buf, x.ledger.sums()
	w.Int(len(sums))
	for i := range sums {
		s := &sums[i]
		w.Text(s.run.id)
		w.Text(s.step)
		w.Text(s.key)
		w.Bool(s.first >= 0, s.last >= 0, s.undone < s.last, s.maybe, s.undoFailed)
		for k := range sums {
			if after := &sums[k]; after.run == s.run && after.first >= 0 && after.first < s.last && x.comesBefore(s, after) {
				w.Text(after.step)
			}
		}
	}
}

// comesBefore is precedes, and quick where the plan alone says that it is not so.
func (x *scene) comesBefore(a, b *sum) bool {
	first, second := a.run.s.Step(a.step), a.run.s.Step(b.step)
	ranks := x.shape(a.run.s.Plan).rank
	return ranks[first.Node] < ranks[second.Node] && x.precedes(a.run, first, second)
}
