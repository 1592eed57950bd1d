package machine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine/internal/due"
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

// UnmarshalText implements encoding.TextUnmarshaler: it reads what [Phase.MarshalText] wrote.
func (p *Phase) UnmarshalText(text []byte) error {
	for i, name := range phaseNames {
		if name == string(text) {
			*p = Phase(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a phase of a step", text)
}

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

// settled reports whether a turned-back step needs nothing more.
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
	// Due is when the attempt in flight is given up, BeatDue when it is without a heartbeat before.
	Due, BeatDue time.Time
	// RetryAt is when the next attempt begins.
	RetryAt time.Time
	// Running means that the latest attempt has no outcome yet.
	Running bool
	// Cause is the latest failure, Failed when it was recorded.
	Cause  *domain.Failure
	Failed time.Time `json:",omitzero"`
	// Details are those of the latest heartbeat.
	Details json.RawMessage `json:",omitempty"`
	// Node is the coordinator whose queue carries the latest attempt.
	Node string
	// GaveUp are the attempts given up that may still report.
	GaveUp []int `json:",omitempty"`
}

// StepData is what a snapshot keeps of a step as it is. Its fields may be read, not written.
type StepData struct {
	Input  json.RawMessage `json:"in,omitempty"`
	Output json.RawMessage `json:"out,omitempty"`
	// Do, Undo and Probe count the attempts of each direction.
	Do    Tries `json:"do,omitzero"`
	Undo  Tries `json:"undo,omitzero"`
	Probe Tries `json:"probe,omitzero"`
	// InDoubt means that an attempt's effect may have happened unseen.
	InDoubt bool `json:"doubt,omitempty"`
	// Unasked means that an attempt is in doubt and no probe was made, because a retry was to
	// follow.
	Unasked bool `json:"unasked,omitempty"`
	// Undos counts the undos that became owed again because an effect came after an earlier undo.
	Undos int `json:"undos,omitempty"`
	// Turning means that the step is being turned back.
	Turning bool `json:"turning,omitempty"`
	// Late is the output of a success that came too late to count; it is kept for the undo.
	Late json.RawMessage `json:"late,omitempty"`
	// Cause is why the step failed for good.
	Cause *domain.Failure `json:"cause,omitempty"`
	// InForce is the policy of the latest attempt, if it is not the plan's.
	InForce *domain.Policy `json:"in_force,omitempty"`
	// ByHand means that a person did what steps in this one were to do: no undo takes that back.
	ByHand bool `json:"by_hand,omitempty"`
	// Incident is the open incident's id while the step is stuck.
	Incident string `json:"incident,omitempty"`
	// Retried is the incident that a person retried in RetriedIn: it reopens if that fails again.
	Retried   string           `json:"retried,omitempty"`
	RetriedIn domain.Direction `json:"retried_in,omitempty"`
	// Due is when a sleep ends or an await runs out. Instant means that somebody named that time,
	// while without it the time is so long after the step began.
	Due     time.Time `json:"due,omitzero"`
	Instant bool      `json:"instant,omitempty"`
	// Signal, Event and Correlation are what an await waits for.
	Signal      string `json:"signal,omitempty"`
	Event       string `json:"event,omitempty"`
	Correlation string `json:"correlation,omitempty"`
	// Child is the child run and ChildState its end.
	Child      domain.RunID    `json:"child,omitzero"`
	ChildState domain.RunState `json:"child_state,omitempty"`
}

// Step is an instance of a plan node in a run. Its fields may be read, not written.
type Step struct {
	// Path addresses the step in the run: ship/3/label. Sequences have none.
	Path string
	Node *domain.Node
	Phase
	StepData
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

	// Fields of the index of waiting steps, see waits.
	flags          waitFlags
	awaits         awaitKey
	irreversibleAt int
	timer          due.Item[*Step]
}

// scope is what names are relative to: the run, an item of an each, a round of a plan.
type scope struct {
	prefix string
	index  []int
	item   json.RawMessage
	parent *scope
}

// inner returns the scope of an item or a round of the step.
func (st *Step) inner(segment int, item json.RawMessage) *scope {
	return &scope{prefix: st.Path + "/" + strconv.Itoa(segment) + "/", item: item, parent: st.scope,
		index: append(append(make([]int, 0, len(st.scope.index)+1), st.scope.index...), segment)}
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

// RunData is what a snapshot keeps of a run as it is. Its fields may be read, not written.
type RunData struct {
	// Revision is the last folded event's, -1 before the first.
	Revision int64 `json:"revision"`
	// Start is the run's first event; StartedAt and Actor are from its metadata.
	Start     domain.RunStarted `json:"start"`
	StartedAt time.Time         `json:"started_at"`
	Actor     string            `json:"actor,omitempty"`
	// Correlation is the id of the outermost run.
	Correlation string `json:"correlation,omitempty"`
	Trace       string `json:"trace,omitempty"`
	// Clock is the clock by which times are given, see [State.Reckon].
	Clock domain.Clock `json:"clock,omitzero"`
	// End is the state that the run ended in, or empty.
	End     domain.RunState `json:"end,omitempty"`
	EndedAt time.Time       `json:"ended_at,omitzero"`
	Output  json.RawMessage `json:"output,omitempty"`
	// Cause is why the run turned back.
	Cause *domain.Failure `json:"cause,omitempty"`
	// Turning means that the run turned back, PastPivot that it never will.
	Turning   bool `json:"turning,omitempty"`
	PastPivot bool `json:"past_pivot,omitempty"`
	// Paused, with PauseReason, stops new attempts. Blocked says why no process can go on with the
	// run, BlockedAt since when.
	Paused      bool      `json:"paused,omitempty"`
	PauseReason string    `json:"pause_reason,omitempty"`
	Blocked     string    `json:"blocked,omitempty"`
	BlockedAt   time.Time `json:"blocked_at,omitzero"`
	// Cancel is a cancel that waits for an irreversible attempt's outcome.
	Cancel *domain.Failure `json:"cancel,omitempty"`
	// Incidents counts the incidents of the run so far.
	Incidents int `json:"incidents,omitempty"`
	// Left lists the steps whose effect was left behind.
	Left []string `json:"left,omitempty"`
	// Was is the end that the run had before a late effect made it stuck. It ends so again once a
	// person has resolved that.
	Was domain.RunState `json:"was,omitempty"`
	// AbandonReason is why a person closed the run.
	AbandonReason string `json:"abandon_reason,omitempty"`
}

// State is a run folded from its events. It is made by [New] and advanced by [Evolve].
// It is not safe for concurrent use; readers and writers share a lock.
type State struct {
	Plan *domain.Plan
	Run  domain.RunID
	RunData

	root     *Step
	steps    map[string]*Step
	handlers []*Step
	todo     list // steps with work owed at once
	watch    list // steps that wait
	waits    waits
	stuck    int
	finish   bool // the root is done or settled and the run has not ended
	signals  []Kept
	seen     map[string]bool // ids of signals received
}

// Kept is a signal that the run was sent and that no await has taken yet.
type Kept struct {
	Name  string          `json:"name"`
	ID    string          `json:"id"`
	Value json.RawMessage `json:"value,omitempty"`
	// At is when the run was sent it; zero where an older program wrote the snapshot.
	At time.Time `json:"at,omitzero"`
}

// New returns the state of a run of the plan before its first event. The plan is indexed.
func New(plan *domain.Plan, run domain.RunID) *State {
	return &State{Plan: plan, Run: run, RunData: RunData{Revision: -1}, steps: make(map[string]*Step, 8)}
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

// Signals returns the signals that are kept for an await to come, to be read.
func (s *State) Signals() []Kept { return s.signals }

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

// ended returns the end that the run has, or had come to before an effect came late that a person
// has to see to.
func (s *State) ended() domain.RunState { return cmp.Or(s.End, s.Was) }
