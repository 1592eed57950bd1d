package machine

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/atonehq/atone/saga/machine/internal/due"
)

// Clone returns a copy that goes its own way. Both share what never changes. The run has begun.
func (s *State) Clone() *State {
	s.unparkAll() // so that the lists are whole
	c := &State{Plan: s.Plan, Run: s.Run, RunData: s.RunData, steps: make(map[string]*Step, len(s.steps)),
		stuck: s.stuck, finish: s.finish, signals: slices.Clone(s.signals), seen: maps.Clone(s.seen)}
	c.Left, c.root = slices.Clip(s.Left), c.copyStep(s.root, nil)
	for _, h := range s.handlers {
		k := c.copyStep(h, nil)
		if c.handlers = append(c.handlers, k); h.About != nil {
			k.About = c.steps[h.About.Path]
		}
	}
	for _, l := range [...][2]*list{{&s.todo, &c.todo}, {&s.watch, &c.watch}} {
		for st := l[0].head; st != nil; st = st.nxt {
			l[1].add(c.steps[st.Path])
			c.index(c.steps[st.Path])
		}
	}
	for _, st := range due.AsJoined(&s.waits.timers, &s.waits.retries, &s.waits.instants) {
		c.reschedule(c.steps[st.Path]) // those that are due at one time keep their order
	}
	return c
}

func (s *State) copyStep(st, parent *Step) *Step {
	c := *st
	c.parent, c.prev, c.nxt, c.on, c.flags, c.timer = parent, nil, nil, nil, 0, due.Item[*Step]{}
	c.Do.GaveUp, c.Undo.GaveUp, c.items = slices.Clone(c.Do.GaveUp), slices.Clone(c.Undo.GaveUp), slices.Clip(c.items)
	if c.kids = make([]*Step, len(st.kids)); c.Path != "" {
		s.steps[c.Path] = &c
	}
	for i, k := range st.kids {
		if k != nil {
			c.kids[i] = s.copyStep(k, &c)
		}
	}
	return &c
}

// Fingerprint appends how each step stands and what it may still try: no times, no long outputs.
func (s *State) Fingerprint(b []byte) []byte {
	b = append(append(b, s.End...), s.Was...)
	b, _ = binary.Append(b, binary.LittleEndian, []bool{s.Turning, s.PastPivot, s.Paused, s.finish, s.Cancel != nil})
	for i := range s.signals {
		b = append(append(b, s.signals[i].Name...), 0)
	}
	for _, st := range append([]*Step{s.root}, s.handlers...) {
		b = st.fingerprint(b)
	}
	return b
}

func (st *Step) fingerprint(b []byte) []byte {
	b, _ = binary.Append(b, binary.LittleEndian, []bool{st.InDoubt, st.Unasked, st.Turning, st.settledOnce, st.undoAgain, st.counted, st.Do.Running, st.Undo.Running})
	for _, n := range [...]int{int(st.Phase), st.index, st.next, st.open, st.failures, st.undoAt, st.undoing, len(st.items), len(st.kids), len(st.Output)} {
		b = binary.AppendVarint(b, int64(n))
	}
	if st.on != nil { // else nothing of it is tried any more
		b, _ = binary.Append(b, binary.LittleEndian, []int64{int64(st.Do.N - st.Do.Base), int64(st.Undo.N - st.Undo.Base), int64(st.Probe.N - st.Probe.Base)})
	}
	b = append(b, st.Output[:min(len(st.Output), 64)]...)
	for _, k := range st.kids {
		if k != nil {
			b = k.fingerprint(b)
		}
	}
	return b
}
