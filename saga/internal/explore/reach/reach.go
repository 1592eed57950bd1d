package reach

import (
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Map is what runs came to. The zero value is empty.
type Map struct {
	got    map[place]bool
	checks map[string]bool
	// ended says how runs ended.
	ended map[domain.RunState]bool
}

// place is a node of a plan, and what happened at it: a direction in which its action was tried, or
// one of the marks below. Of a failure handler, key is the action.
type place struct {
	saga    string
	version int
	key     string
	what    domain.Direction
}

const (
	entered domain.Direction = "entered"
	passed  domain.Direction = "passed"
)

// Run notes what a run came to.
func (m *Map) Run(s *machine.State) {
	if m.got == nil {
		m.got, m.ended = map[place]bool{}, map[domain.RunState]bool{}
	}
	if s.Start.Parent == nil && s.End != "" {
		m.ended[s.End] = true
	}
	s.Steps(func(st *machine.Step) {
		at := place{saga: s.Plan.Saga, version: s.Plan.Version, key: st.Node.Key}
		mark := func(what domain.Direction, is bool) {
			if at.what = what; is && !m.got[at] {
				m.got[at] = true
			}
		}
		if st.Handler {
			at.key = st.Node.Action.Name
			mark(domain.Handler, true)
			return
		}
		mark(entered, st.Phase != machine.Idle)
		mark(passed, st.Phase == machine.Done || st.Phase == machine.Ignored || st.Phase == machine.Skipped)
		mark(domain.Do, st.Do.N > 0)
		mark(domain.Undo, st.Undo.N > 0)
		mark(domain.Probe, st.Probe.N > 0)
	})
}

// Check notes that a check was made.
func (m *Map) Check(name string) {
	if m.checks == nil {
		m.checks = map[string]bool{}
	}
	m.checks[name] = true
}

// Ended reports whether a run ended so, those of parents apart.
func (m *Map) Ended(as domain.RunState) bool { return m.ended[as] }

// Checked reports whether a check was made.
func (m *Map) Checked(name string) bool { return m.checks[name] }
