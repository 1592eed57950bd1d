package machine

import (
	"encoding/json"
	"fmt"

	"github.com/atonehq/atone/domain"
)

// snapshotFormat changes whenever the meaning of a snapshot changes. Snapshots of other formats are
// not read: the run is folded from its events.
const snapshotFormat = 2

// stateSnapshot is a State as JSON.
type stateSnapshot struct {
	Format int `json:"format"`
	RunData
	Finish   bool            `json:"finish,omitempty"`
	Signals  []Kept          `json:"signals,omitempty"`
	Seen     map[string]bool `json:"seen,omitempty"`
	Root     *stepSnapshot   `json:"root"`
	Handlers []*stepSnapshot `json:"handlers,omitempty"`
	// Todo and Watch keep the order of the lists, by path.
	Todo  []string `json:"todo,omitempty"`
	Watch []string `json:"watch,omitempty"`
}

// stepSnapshot is a Step as JSON; its names are short because there may be tens of thousands.
type stepSnapshot struct {
	Index int   `json:"i,omitempty"`
	Phase uint8 `json:"p"`
	StepData
	Next        int               `json:"next,omitempty"`
	Open        int               `json:"open,omitempty"`
	Failures    int               `json:"failures,omitempty"`
	UndoAt      int               `json:"undo_at,omitempty"`
	Undoing     int               `json:"undoing,omitempty"`
	Counted     bool              `json:"counted,omitempty"`
	SettledOnce bool              `json:"settled_once,omitempty"`
	Items       []json.RawMessage `json:"items,omitempty"`
	Listed      bool              `json:"listed,omitempty"`
	UndoAgain   bool              `json:"undo_again,omitempty"`
	Width       int               `json:"width,omitempty"` // len(kids)
	Kids        []*stepSnapshot   `json:"kids,omitempty"`
	// Node is the node of a planned step, which the plan does not have.
	Node *domain.Node `json:"node,omitempty"`
	// About is the path of the step that a handler is about, empty for the run.
	About string `json:"about,omitempty"`
	Path  string `json:"path,omitempty"` // of a handler
	// Handler is the handler's action.
	Handler *domain.ActionSpec `json:"handler,omitempty"`
}

// Snapshot writes the state as JSON, to be read by [Restore].
func Snapshot(s *State) ([]byte, error) {
	if s.root == nil {
		return nil, fmt.Errorf("run %s has no events yet", s.Run)
	}
	s.unparkAll() // so that the lists are whole
	snap := stateSnapshot{Format: snapshotFormat, RunData: s.RunData, Finish: s.finish, Signals: s.signals, Seen: s.seen, Root: snapStep(s.root), Todo: s.todo.paths(), Watch: s.watch.paths()}
	for _, h := range s.handlers {
		hs := snapStep(h)
		hs.Path, hs.Handler = h.Path, h.Node.Action
		if h.About != nil {
			hs.About = h.About.Path
		}
		snap.Handlers = append(snap.Handlers, hs)
	}
	b, err := json.Marshal(snap)
	if err != nil {
		return nil, fmt.Errorf("snapshot of run %s: %w", s.Run, err)
	}
	return b, nil
}

func (l *list) paths() (paths []string) {
	for st := l.head; st != nil; st = st.nxt {
		paths = append(paths, st.Path)
	}
	return paths
}

func snapStep(st *Step) *stepSnapshot {
	p := &stepSnapshot{
		Index: st.index, Phase: uint8(st.Phase), StepData: st.StepData,
		Next: st.next, Open: st.open, Failures: st.failures, UndoAt: st.undoAt, Undoing: st.undoing, Counted: st.counted,
		SettledOnce: st.settledOnce, Items: st.items, Listed: st.listed, UndoAgain: st.undoAgain, Width: len(st.kids),
	}
	if st.Node.Kind == domain.KindEach || st.Node.Kind == domain.KindSequence && st.Output != nil {
		p.Output = nil // derived from the children
	}
	for i, k := range st.kids {
		if k == nil {
			continue
		}
		ks := snapStep(k)
		ks.Index = i
		if st.Node.Kind == domain.KindSwitch {
			ks.Index = k.index
		}
		if st.Node.Kind == domain.KindPlan && i%2 == 1 {
			ks.Node = k.Node
		}
		p.Kids = append(p.Kids, ks)
	}
	return p
}

// Restore reads a state that [Snapshot] wrote, for a run of the same plan.
func Restore(plan *domain.Plan, run domain.RunID, snapshot []byte) (*State, error) {
	var snap stateSnapshot
	if err := json.Unmarshal(snapshot, &snap); err != nil {
		return nil, fmt.Errorf("read snapshot of run %s: %w", run, err)
	}
	if snap.Format != snapshotFormat || snap.Root == nil {
		return nil, fmt.Errorf("read snapshot of run %s: format %d is not %d", run, snap.Format, snapshotFormat)
	}
	if snap.Start.Plan != plan.Hash() {
		return nil, fmt.Errorf("read snapshot of run %s: it is of plan %.12s, not %.12s", run, snap.Start.Plan, plan.Hash())
	}
	s := New(plan, run)
	s.RunData, s.finish, s.signals, s.seen = snap.RunData, snap.Finish, snap.Signals, snap.Seen
	var err error
	if s.root, err = s.restoreStep(snap.Root, plan.Root, nil, &scope{}); err != nil {
		return nil, fmt.Errorf("read snapshot of run %s: %w", run, err)
	}
	for _, hs := range snap.Handlers {
		s.restoreHandler(hs)
	}
	for path, list := range map[*[]string]*list{&snap.Todo: &s.todo, &snap.Watch: &s.watch} {
		for _, p := range *path {
			st := s.steps[p]
			if st == nil || st.on != nil {
				return nil, fmt.Errorf("read snapshot of run %s: step %q is not in it", run, p)
			}
			list.add(st)
			s.index(st)
			if st.Phase == Stuck || st.Phase == UndoStuck {
				s.stuck++
			}
		}
	}
	return s, nil
}

func (s *State) restoreStep(p *stepSnapshot, node *domain.Node, parent *Step, sc *scope) (*Step, error) {
	if int(p.Phase) >= len(phaseNames) {
		return nil, fmt.Errorf("phase %d is unknown", p.Phase)
	}
	st := s.newStep(node, parent, sc, p.Index)
	p.fill(st)
	// The log may have a damaged snapshot: no number in it makes room for more than it can hold.
	if p.Width < 0 || p.Width > max(len(p.Kids), len(p.Items), len(node.Children)) {
		return nil, fmt.Errorf("step %q has room for %d children, more than the snapshot or the plan has", st.Path, p.Width)
	}
	st.kids = make([]*Step, p.Width)
	for at, ks := range p.Kids {
		kidNode, kidScope, err := s.kidOf(st, ks)
		if err != nil {
			return nil, err
		}
		k, err := s.restoreStep(ks, kidNode, st, kidScope)
		if err != nil {
			return nil, err
		}
		if node.Kind != domain.KindSwitch {
			at = ks.Index
		}
		if at >= len(st.kids) {
			return nil, fmt.Errorf("%s: child %d of %d", st.Path, at, len(st.kids))
		}
		st.kids[at] = k
	}
	st.deriveOutput(s)
	return st, nil
}

// deriveOutput sets what the snapshot leaves out because the children have it.
func (st *Step) deriveOutput(s *State) {
	if st.Phase != Done {
		return
	}
	switch st.Node.Kind {
	case domain.KindEach:
		st.Output = collect(st)
	case domain.KindSequence:
		if r := s.steps[st.scope.prefix+st.Node.Result]; st.Node.Result != "" && r != nil {
			st.Output = r.Output
		}
	}
}

func (p *stepSnapshot) fill(st *Step) {
	st.Phase, st.StepData = Phase(p.Phase), p.StepData
	st.InDoubt = p.InDoubt && st.doubts(domain.Do)
	st.next, st.open, st.failures, st.undoAt, st.undoing, st.counted = p.Next, p.Open, p.Failures, p.UndoAt, p.Undoing, p.Counted
	st.settledOnce, st.items, st.listed, st.undoAgain = p.SettledOnce, p.Items, p.Listed, p.UndoAgain
}

// kidOf returns the node and scope of a step's child.
func (s *State) kidOf(st *Step, ks *stepSnapshot) (*domain.Node, *scope, error) {
	n, i := st.Node, ks.Index
	switch n.Kind {
	case domain.KindEach:
		if i < 0 || i >= len(st.items) || len(n.Children) == 0 {
			break
		}
		return n.Children[0], st.inner(i, st.items[i]), nil
	case domain.KindPlan:
		sc := st.inner(i/2+1, st.scope.item)
		if i%2 == 1 && ks.Node != nil {
			ks.Node.IndexUnder(n.Key + "/*/")
			return ks.Node, sc, nil
		}
		return s.plannerNode(st), sc, nil
	default:
		if i >= 0 && i < len(n.Children) {
			return n.Children[i], st.scope, nil
		}
	}
	return nil, nil, fmt.Errorf("%s has no child %d in its plan", st.Path, i)
}

func (s *State) restoreHandler(p *stepSnapshot) {
	h := s.newHandler(s.steps[p.About], p.Path, p.Handler)
	p.fill(h)
}
