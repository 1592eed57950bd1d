package machine

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
)

// snapshotFormat is bumped whenever the meaning of a snapshot changes; snapshots of other
// formats are not read, the run is folded from its events instead.
const snapshotFormat = 2

// stateSnapshot is a State as JSON.
type stateSnapshot struct {
	Format      int               `json:"format"`
	Revision    int64             `json:"revision"`
	Start       domain.RunStarted `json:"start"`
	StartedAt   time.Time         `json:"started_at"`
	Actor       string            `json:"actor,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
	Trace       string            `json:"trace,omitempty"`
	Clock       domain.Clock      `json:"clock,omitzero"`
	End         domain.RunState   `json:"end,omitempty"`
	EndedAt     time.Time         `json:"ended_at,omitzero"`
	Output      json.RawMessage   `json:"output,omitempty"`
	Cause       *domain.Failure   `json:"cause,omitempty"`
	Turning     bool              `json:"turning,omitempty"`
	PastPivot   bool              `json:"past_pivot,omitempty"`
	Paused      bool              `json:"paused,omitempty"`
	PauseReason string            `json:"pause_reason,omitempty"`
	Blocked     string            `json:"blocked,omitempty"`
	BlockedAt   time.Time         `json:"blocked_at,omitzero"`
	Cancel      *domain.Failure   `json:"cancel,omitempty"`
	Incidents   int               `json:"incidents,omitempty"`
	Left        []string          `json:"left,omitempty"`
	Was         domain.RunState   `json:"was,omitempty"`
	Abandoned   string            `json:"abandon_reason,omitempty"`
	Finish      bool              `json:"finish,omitempty"`
	Signals     []signalSnapshot  `json:"signals,omitempty"`
	Seen        map[string]bool   `json:"seen,omitempty"`
	Root        *stepSnapshot     `json:"root"`
	Handlers    []*stepSnapshot   `json:"handlers,omitempty"`
	// Todo and Watch keep the order of the lists, by path.
	Todo  []string `json:"todo,omitempty"`
	Watch []string `json:"watch,omitempty"`
}

type signalSnapshot struct {
	Name  string          `json:"name"`
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value,omitempty"`
}

// stepSnapshot is a Step as JSON; names are short because there may be ten thousands.
type stepSnapshot struct {
	Index       int               `json:"i,omitempty"`
	Phase       uint8             `json:"p"`
	Input       json.RawMessage   `json:"in,omitempty"`
	Output      json.RawMessage   `json:"out,omitempty"`
	Do          *Tries            `json:"do,omitempty"`
	Undo        *Tries            `json:"undo,omitempty"`
	Probe       *Tries            `json:"probe,omitempty"`
	InDoubt     bool              `json:"doubt,omitempty"`
	Unasked     bool              `json:"unasked,omitempty"`
	Undos       int               `json:"undos,omitempty"`
	Turning     bool              `json:"turning,omitempty"`
	Late        json.RawMessage   `json:"late,omitempty"`
	Cause       *domain.Failure   `json:"cause,omitempty"`
	Incident    string            `json:"incident,omitempty"`
	Due         time.Time         `json:"due,omitzero"`
	Instant     bool              `json:"instant,omitempty"`
	Signal      string            `json:"signal,omitempty"`
	Event       string            `json:"event,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
	Child       domain.RunID      `json:"child,omitzero"`
	ChildState  domain.RunState   `json:"child_state,omitempty"`
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
	// Node is that of planned steps, which the plan does not have.
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
	s.unparkAll() // the lists are then whole
	snap := stateSnapshot{
		Format: snapshotFormat, Revision: s.Revision, Start: s.Start, StartedAt: s.StartedAt, Actor: s.Actor,
		Correlation: s.Correlation, Trace: s.Trace, Clock: s.Clock, End: s.End, EndedAt: s.EndedAt, Output: s.Output, Cause: s.Cause,
		Turning: s.Turning, PastPivot: s.PastPivot, Paused: s.Paused, PauseReason: s.PauseReason, Blocked: s.Blocked, BlockedAt: s.BlockedAt,
		Cancel: s.Cancel, Incidents: s.Incidents, Left: s.Left, Was: s.Was, Abandoned: s.AbandonReason, Finish: s.finish, Seen: s.seen,
		Root: snapStep(s.root), Todo: s.todo.paths(), Watch: s.watch.paths(),
	}
	for _, g := range s.signals {
		snap.Signals = append(snap.Signals, signalSnapshot{g.name, g.id, g.value})
	}
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
		Index: st.index, Phase: uint8(st.Phase), Input: st.Input, Output: st.Output, Do: snapTries(st.Do), Undo: snapTries(st.Undo),
		Probe: snapTries(st.Probe), InDoubt: st.InDoubt, Unasked: st.Unasked, Undos: st.Undos, Turning: st.Turning, Late: st.Late, Cause: st.Cause, Incident: st.Incident,
		Due: st.Due, Instant: st.Instant, Signal: st.Signal, Event: st.Event, Correlation: st.Correlation, Child: st.Child, ChildState: st.ChildState,
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

func snapTries(t Tries) *Tries {
	if t.N == 0 && t.Cause == nil {
		return nil
	}
	return &t
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
	s.Revision, s.Start, s.StartedAt, s.Actor = snap.Revision, snap.Start, snap.StartedAt, snap.Actor
	s.Clock = snap.Clock
	s.Correlation, s.Trace, s.End, s.EndedAt, s.Output, s.Cause = snap.Correlation, snap.Trace, snap.End, snap.EndedAt, snap.Output, snap.Cause
	s.Turning, s.PastPivot, s.Paused, s.PauseReason, s.Blocked, s.BlockedAt = snap.Turning, snap.PastPivot, snap.Paused, snap.PauseReason, snap.Blocked, snap.BlockedAt
	s.Cancel, s.Incidents, s.Left, s.finish, s.seen = snap.Cancel, snap.Incidents, snap.Left, snap.Finish, snap.Seen
	s.Was, s.AbandonReason = snap.Was, snap.Abandoned
	for _, g := range snap.Signals {
		s.signals = append(s.signals, signal{g.Name, g.ID, g.Value})
	}
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
	st.Phase, st.Input, st.Output, st.Turning, st.Late = Phase(p.Phase), p.Input, p.Output, p.Turning, p.Late
	st.InDoubt, st.Unasked, st.Undos = p.InDoubt && st.doubts(domain.Do), p.Unasked, p.Undos
	st.Cause, st.Incident, st.Due, st.Instant, st.Signal, st.Event, st.Correlation = p.Cause, p.Incident, p.Due, p.Instant, p.Signal, p.Event, p.Correlation
	st.Child, st.ChildState, st.next, st.open, st.failures = p.Child, p.ChildState, p.Next, p.Open, p.Failures
	st.undoAt, st.undoing, st.counted, st.settledOnce, st.items, st.listed, st.undoAgain = p.UndoAt, p.Undoing, p.Counted, p.SettledOnce, p.Items, p.Listed, p.UndoAgain
	for to, from := range map[*Tries]*Tries{&st.Do: p.Do, &st.Undo: p.Undo, &st.Probe: p.Probe} {
		if from != nil {
			*to = *from
		}
	}
}

// kidOf returns the node and scope of a step's child.
func (s *State) kidOf(st *Step, ks *stepSnapshot) (*domain.Node, *scope, error) {
	in := func(segment int, item json.RawMessage) *scope {
		return &scope{prefix: st.Path + "/" + strconv.Itoa(segment) + "/", item: item, parent: st.scope,
			index: append(append(make([]int, 0, len(st.scope.index)+1), st.scope.index...), segment)}
	}
	n, i := st.Node, ks.Index
	switch n.Kind {
	case domain.KindEach:
		if i < 0 || i >= len(st.items) || len(n.Children) == 0 {
			break
		}
		return n.Children[0], in(i, st.items[i]), nil
	case domain.KindPlan:
		sc := in(i/2+1, st.scope.item)
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
