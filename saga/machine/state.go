package machine

import (
	"encoding/json"
	"time"

	"github.com/atonehq/atone/domain"
)

// Phase is where a step stands.
type Phase uint8

// The phases of a step. Those marked * have work owed at once, those marked + wait
// for somebody else or for a time.
const (
	Idle         Phase = iota
	Ready              // * entered; its expression is to be evaluated, or its attempt started
	Running            // + a do attempt (or handler) is in flight
	Backoff            // + waits for the next attempt's time
	ProbeDue           // * an attempt is in doubt and its action has a probe
	Probing            // + a probe is in flight
	Waiting            // + a sleep, an await, a child run
	Active             // a composite whose children are under way
	Failed             // * failed for good; the consequence is not yet decided
	Stuck              // + needs a person, going forward
	Done               // done
	Skipped            // settled by a person as having no effect
	Ignored            // failed, and the run goes on without it
	UndoDue            // * is to be undone
	Undoing            // + an undo is in flight
	UndoBackoff        // + waits for the next undo attempt's time
	UndoFailed         // * the undo failed for good; the consequence is not yet decided
	UndoStuck          // + needs a person, going backward
	Undone             // undone
	Untouched          // turned back without having had an effect
	Left               // its effect is knowingly left behind
	ProbeBackoff       // + waits for the time of the next probe: the last one failed
)

var phaseNames = [...]string{"idle", "ready", "running", "backoff", "probe due", "probing", "waiting", "active", "failed", "stuck",
	"done", "skipped", "ignored", "undo due", "undoing", "undo backoff", "undo failed", "undo stuck", "undone", "untouched", "left", "probe backoff"}

// String returns the phase's name.
func (p Phase) String() string { return phaseNames[p] }

// MarshalText implements encoding.TextMarshaler.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Phase) owed() bool {
	return p == Ready || p == ProbeDue || p == Failed || p == UndoDue || p == UndoFailed
}

func (p Phase) waits() bool {
	switch p {
	case Running, Backoff, Probing, ProbeBackoff, Waiting, Stuck, Undoing, UndoBackoff, UndoStuck:
		return true
	}
	return false
}

// backsOff reports whether the step waits for the time of its next attempt.
func (p Phase) backsOff() bool { return p == Backoff || p == UndoBackoff || p == ProbeBackoff }

// settled reports whether a turned-back step is finished with.
func (p Phase) settled() bool { return p >= Undone && p <= Left }

// Tries counts the attempts of a step in one direction.
type Tries struct {
	// N is the number of attempts started; Base is what it was when a person last
	// granted a new set of attempts.
	N, Base int
	// Uncounted is how many since Base were never handed to a worker.
	Uncounted int `json:",omitempty"`
	// First is when the first attempt since Base started, Last when the latest did.
	First, Last time.Time
	// Due is when the attempt in flight is given up, BeatDue when it is unless it beats before.
	Due, BeatDue time.Time
	// RetryAt is when the next attempt begins.
	RetryAt time.Time
	// Running means that the latest attempt has no outcome yet.
	Running bool
	// Cause is the latest failure.
	Cause *domain.Failure
	// Details are those of the latest heartbeat.
	Details json.RawMessage `json:",omitempty"`
	// Node is the coordinator whose queue carries the latest attempt.
	Node string
	// GaveUp are the attempts given up that may still report.
	GaveUp []int `json:",omitempty"`
}

// Step is an instance of a plan node in a run. Its fields may be read, not written.
type Step struct {
	// Path addresses the step in the run: ship/3/label. Sequences have none.
	Path string
	Node *domain.Node
	Phase
	Input, Output json.RawMessage
	// Do, Undo and Probe count the attempts of each direction.
	Do, Undo, Probe Tries
	// InDoubt means that an attempt's effect may have happened unseen.
	InDoubt bool
	// Unasked means that an attempt is in doubt after which the action's probe was not asked: it was to be
	// tried again at once.
	Unasked bool
	// Undos counts the undos that were owed anew, because an effect came after the one before.
	Undos int
	// Turning means that the step is being turned back.
	Turning bool
	// Late is the output of a success that came too late to count; it is kept for the undo.
	Late json.RawMessage
	// Cause is why the step failed for good.
	Cause *domain.Failure
	// Incident is the open incident's id while the step is stuck.
	Incident string
	// Due is when a sleep ends or an await runs out. Instant means that somebody named that time, while
	// without it the time is so long after the step began.
	Due     time.Time
	Instant bool
	// Signal, Event and Correlation are what an await waits for.
	Signal, Event, Correlation string
	// Child is the child run and ChildState its end.
	Child      domain.RunID
	ChildState domain.RunState
	// Handler marks a failure handler; About is the step that failed, nil for the run.
	Handler bool
	About   *Step

	parent *Step
	scope  *scope
	index  int // among the parent's kids

	kids        []*Step
	next        int // the next child to enter
	open        int // children under way (forward), or not yet settled (backward)
	failures    int // items of an each that failed
	undoAt      int // the next done child to undo, counting down
	undoing     int // done children being undone
	pulling     bool
	counted     bool // counts in its parent's undoing
	settledOnce bool
	items       []json.RawMessage
	listed      bool
	undoAgain   bool  // a success was reported while the undo ran, which may have missed its effect
	prev, nxt   *Step // links of the list that the step is on
	on          *list

	// What the index of waiting steps keeps with each, see waits.
	flags          waitFlags
	awaits         awaitKey
	irreversibleAt int
	until          time.Time
	timer          *timers // nil where nothing is waited for
	timerAt        int
	timerSeq       uint64
}

// scope is what names are relative to: the run, an item of an each, a round of a plan.
type scope struct {
	prefix string
	index  []int
	item   json.RawMessage
	parent *scope
}

// Item returns the item of the innermost each around the step, and all indexes, outermost first.
func (st *Step) Item() (item json.RawMessage, index []int) { return st.scope.item, st.scope.index }

// ItemAt returns the item of the each at the given depth, 0 being the outermost.
func (st *Step) ItemAt(depth int) json.RawMessage {
	sc := st.scope
	for len(sc.index) > depth+1 {
		sc = sc.parent
	}
	return sc.item
}

// State is a run folded from its events. It is made by [New] and advanced by [Evolve].
// It is not safe for concurrent use; readers and writers share a lock.
type State struct {
	Plan *domain.Plan
	Run  domain.RunID
	// Revision is that of the last event folded, -1 before the first.
	Revision int64
	// Start is the run's first event; StartedAt and Actor are from its metadata.
	Start     domain.RunStarted
	StartedAt time.Time
	Actor     string
	// Correlation is the id of the outermost run.
	Correlation string
	Trace       string
	// Clock is that by which the times of what is under way are, see [State.Reckon].
	Clock domain.Clock
	// End is the state that the run ended in, or empty.
	End     domain.RunState
	EndedAt time.Time
	Output  json.RawMessage
	// Cause is why the run turned back.
	Cause *domain.Failure
	// Turning means that the run turned back; PastPivot that it never will.
	Turning, PastPivot bool
	// Paused, with PauseReason, stops new attempts. Blocked says why nobody can go on,
	// BlockedAt since when.
	Paused      bool
	PauseReason string
	Blocked     string
	BlockedAt   time.Time
	// Cancel is a cancel that waits for an irreversible attempt's outcome.
	Cancel *domain.Failure
	// Incidents counts the incidents of the run so far.
	Incidents int
	// Was is the end that the run had come to before an effect came that could not be undone; it comes to
	// the same end once a person has seen to it.
	Was domain.RunState
	// AbandonReason is why a person closed the run.
	AbandonReason string
	// Left lists the steps whose effect was left behind.
	Left []string

	root     *Step
	steps    map[string]*Step
	handlers []*Step
	todo     list // steps with work owed at once
	watch    list // steps that wait
	waits    waits
	stuck    int
	finish   bool // the root is done or settled and the run has not ended
	signals  []signal
	seen     map[string]bool // ids of signals received
}

type signal struct {
	name, id string
	value    json.RawMessage
}

// New returns the state of a run of the plan before its first event. The plan is indexed.
func New(plan *domain.Plan, run domain.RunID) *State {
	return &State{Plan: plan, Run: run, Revision: -1, steps: make(map[string]*Step, 8)}
}

// Step returns the step with the path, or nil if it was not entered.
func (s *State) Step(path string) *Step { return s.steps[path] }

// Steps calls f for every step entered so far that has a path, in the order of the
// plan, handlers last.
func (s *State) Steps(f func(*Step)) {
	if s.root == nil {
		return
	}
	s.root.walk(f)
	for _, h := range s.handlers {
		f(h)
	}
}

func (st *Step) walk(f func(*Step)) {
	if st.Path != "" {
		f(st)
	}
	for _, k := range st.kids {
		if k != nil {
			k.walk(f)
		}
	}
}

// Kids returns the step's children entered so far; nil ones were not.
func (st *Step) Kids() []*Step { return st.kids }

// Status returns the run's state as people see it.
func (s *State) Status() domain.RunState {
	switch {
	case s.End != "":
		return s.End
	case s.stuck > 0:
		return domain.RunIsStuck
	case s.Turning:
		return domain.RunCompensating
	}
	return domain.RunRunning
}

// ended returns the end that the run has, or had come to before an effect came late that a person has to see to.
func (s *State) ended() domain.RunState {
	if s.End != "" {
		return s.End
	}
	return s.Was
}

// list is a doubly linked list of steps in the order in which they joined it.
type list struct{ head, tail *Step }

func (l *list) add(st *Step) {
	st.prev, st.nxt, st.on = l.tail, nil, l
	if l.tail != nil {
		l.tail.nxt = st
	} else {
		l.head = st
	}
	l.tail = st
}

func (l *list) addFirst(st *Step) {
	st.prev, st.nxt, st.on = nil, l.head, l
	if l.head != nil {
		l.head.prev = st
	} else {
		l.tail = st
	}
	l.head = st
}

func (l *list) remove(st *Step) {
	if st.prev != nil {
		st.prev.nxt = st.nxt
	} else {
		l.head = st.nxt
	}
	if st.nxt != nil {
		st.nxt.prev = st.prev
	} else {
		l.tail = st.prev
	}
	st.prev, st.nxt, st.on = nil, nil, nil
}

// set moves a step to a phase and to the list that the phase belongs on.
func (s *State) set(st *Step, p Phase) {
	if st.Phase == Stuck || st.Phase == UndoStuck {
		s.stuck--
		st.Incident = ""
	}
	st.Phase = p
	if p == Stuck || p == UndoStuck {
		s.stuck++
	}
	want := (*list)(nil)
	if p.owed() {
		want = &s.todo
	} else if p.waits() {
		want = &s.watch
	}
	if st.on != want {
		if st.on != nil {
			st.on.remove(st)
		}
		if want != nil {
			want.add(st)
		}
	}
	s.index(st)
}
