package machine

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// What tests outside of this package ask.
var (
	Dump       = dump
	CheckWaits = checkWaits
)

// UndoAgain reports whether the undo of the step that is in flight is to be repeated.
func (st *Step) UndoAgain() bool { return st.undoAgain }

// Awaits calls f for every open await of a domain event.
func (s *State) Awaits(f func(st *Step)) {
	for st := s.watch.head; st != nil; st = st.nxt {
		if st.Phase == Waiting && st.Event != "" {
			f(st)
		}
	}
}

// RandomWalk plays random moves of a random run of at most about the given number of steps, and
// calls look before each with the state, the time, and what folds the state anew.
func RandomWalk(t *rapid.T, steps, moves int, look func(s *State, now time.Time, again func() *State)) {
	x := newSim(t, steps)
	for range rapid.IntRange(0, moves).Draw(t, "moves") {
		if x.s.End != "" {
			break
		}
		look(x.s, x.now, func() *State { return x.h.fold(x.plan) })
		x.disturb()
	}
}

// RandomRun plays a random run of at most about the given number of steps to its end. It calls each
// with the run's plan, each event and the state after it.
func RandomRun(t *rapid.T, steps, moves int, each func(plan *domain.Plan, f domain.Fact, s *State)) {
	x := newSim(t, steps)
	for range rapid.IntRange(0, moves).Draw(t, "moves") {
		x.disturb()
	}
	x.finish()
	s := New(x.plan, x.h.run)
	for _, f := range x.h.facts {
		s = Evolve(s, f)
		each(x.plan, f, s)
	}
}

// dump writes everything that a state consists of, in one canonical form: two states with the
// same dump can't be told apart by any function of this package.
func dump(s *State) string {
	d := &dumper{}
	d.line("run %s rev %d plan %s start %s at %s actor %q corr %q trace %q clock %s", s.Run, s.Revision, s.Plan.Hash(), asJSON(s.Start), when(s.StartedAt), s.Actor, s.Correlation, s.Trace, asJSON(s.Clock))
	d.line("end %q at %s out %s cause %s turning %v pivot %v paused %v %q blocked %q cancel %s incidents %d left %q stuck %d finish %v was %q abandoned %q",
		s.End, when(s.EndedAt), s.Output, asJSON(s.Cause), s.Turning, s.PastPivot, s.Paused, s.PauseReason, s.Blocked, asJSON(s.Cancel), s.Incidents, s.Left, s.stuck, s.finish, s.Was, s.AbandonReason)
	for _, g := range s.signals {
		d.line("signal %s %s %s seen %v", g.Name, g.ID, g.Value, s.seen[g.ID])
	}
	d.line("seen %d steps %d", len(s.seen), len(s.steps))
	if s.root != nil {
		d.step(s, s.root, "")
	}
	for _, h := range s.handlers {
		d.step(s, h, "")
	}
	d.list("todo", &s.todo)
	d.list("watch", &s.watch)
	return d.String()
}

type dumper struct{ strings.Builder }

func (d *dumper) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *dumper) step(s *State, st *Step, indent string) {
	on := "none"
	switch st.on {
	case &s.todo:
		on = "todo"
	case &s.watch:
		on = "watch"
	}
	output := st.Output
	if (st.Node.Kind == domain.KindSequence || st.Node.Kind == domain.KindEach) && (st.Turning || st.Phase != Done) {
		// That of a composite which is turned back is read by nobody, and not kept in snapshots.
		output = nil
	}
	d.line("%s%s %q key %q %s in %s out %s doubt %v turning %v late %s cause %s incident %q due %s %v await %q %q %q child %s %s handler %v about %s",
		indent, st.Node.Kind, st.Path, st.Node.Key, st.Phase, st.Input, output, st.InDoubt, st.Turning, st.Late, asJSON(st.Cause), st.Incident, when(st.Due), st.Instant,
		st.Signal, st.Event, st.Correlation, st.Child, st.ChildState, st.Handler, pathOf(st.About))
	for _, t := range []*Tries{&st.Do, &st.Undo, &st.Probe} {
		d.line("%s  tries n %d base %d first %s last %s due %s beat %s retry %s running %v cause %s details %s node %q", indent, t.N, t.Base, when(t.First), when(t.Last), when(t.Due),
			when(t.BeatDue), when(t.RetryAt), t.Running, asJSON(t.Cause), t.Details, t.Node)
	}
	d.line("%s  index %d next %d open %d failures %d undoAt %d undoing %d pulling %v counted %v settledOnce %v items %s listed %v on %s parent %s scope %q",
		indent, st.index, st.next, st.open, st.failures, st.undoAt, st.undoing, st.pulling, st.counted, st.settledOnce, st.items, st.listed, on, pathOf(st.parent), st.scope.prefix)
	d.line("%s  in force %s gaveUp %v again %v unasked %v undos %d", indent, asJSON(st.InForce), append(append(append([]int{}, st.Do.GaveUp...), -1), st.Undo.GaveUp...), st.undoAgain, st.Unasked, st.Undos)
	for _, k := range st.kids {
		if k == nil {
			d.line("%s  -", indent)
			continue
		}
		d.step(s, k, indent+"  ")
	}
}

func (d *dumper) list(name string, l *list) {
	for st := l.head; st != nil; st = st.nxt {
		d.line("%s %s %q %d", name, st.Node.Kind, st.Path, st.index)
	}
}

func pathOf(st *Step) string {
	if st == nil {
		return "-"
	}
	return fmt.Sprintf("%s %q", st.Node.Kind, st.Path)
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// history is a run's stream as a log would keep it: every event is written and read again.
type history struct {
	run    domain.RunID
	facts  []domain.Fact
	hash   domain.ChainHash
	stream string
}

func newHistory(run domain.RunID) *history {
	return &history{run: run, stream: domain.RunStream(run)}
}

// add seals an event, decodes what was sealed and keeps that.
func (h *history) add(e domain.Event, m domain.Meta) (domain.Fact, error) {
	rev := uint64(len(h.facts))
	sealed, hash := domain.Seal(h.stream, rev, h.hash, e, m)
	f, err := domain.DecodeFact(&domain.Recorded{NewEvent: sealed, Stream: h.stream, Revision: rev})
	if err != nil {
		return f, err
	}
	h.hash = hash
	h.facts = append(h.facts, f)
	return f, nil
}

// fold makes the state anew from what is kept.
func (h *history) fold(plan *domain.Plan) *State {
	s := New(plan, h.run)
	for _, f := range h.facts {
		s = Evolve(s, f)
	}
	return s
}
