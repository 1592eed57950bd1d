package explain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// Place is an attempt that has a place of its action which others wait for.
type Place struct {
	Run       domain.RunID     `json:"run"`
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
	Attempt   int              `json:"attempt"`
	// Since is when it got the place. GivenUp is when the attempt was given up, whose handler has
	// not returned.
	Since   time.Time `json:"since"`
	GivenUp time.Time `json:"given_up,omitzero"`
}

// Hold says that a person stopped an action: no attempt of it starts until it is released.
type Hold struct {
	Action string `json:"action"`
	// Undos means that its undos do not start either.
	Undos  bool      `json:"undos,omitempty"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
}

// Text says in words who holds the action, since when and why.
func (h *Hold) Text() string {
	return fmt.Sprintf("held by %s since %s: %s", h.By, h.Since.UTC().Format(time.RFC3339), h.Reason)
}

// Reason answers "why is it waiting?" as one value, which is of one revision of the run. Times are
// instants: [Reason.Tell] writes the sentence in the reader's zone.
type Reason struct {
	Run      domain.RunID    `json:"run"`
	Revision int64           `json:"revision"`
	State    domain.RunState `json:"state"`
	// Standing is how the run stands, in a word.
	Standing Standing `json:"standing"`
	// WaitsFor is what the run waits for: that of the most telling wait, unless the run is paused
	// or blocked. It is empty where the run has ended.
	WaitsFor For `json:"waits_for,omitempty"`
	// Headline says what is the matter in a few words, without times. Step and Direction are what
	// it speaks of; they are empty where it speaks of the run as a whole.
	Headline  string           `json:"headline"`
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	// Next is when the run next does something by itself: a retry, a timeout, a deadline.
	Next time.Time `json:"next,omitzero"`
	// Text is one sentence, with times in UTC; it is there for ended runs too.
	Text string `json:"text"`
	// Waits lists what is waited for, the most telling first; More counts those that are not
	// listed. Of a run that has ended it lists what is undone once more, because an effect came
	// late.
	Waits []Wait `json:"waits,omitempty"`
	More  int    `json:"more,omitempty"`
	// Chain leads from the run to the run that it waits for in the end: the child run, the child
	// run of that, and so on. It is empty where the run does not wait for a child run.
	Chain []Link `json:"chain,omitempty"`
	// Signals are those that the run was sent and that no await has taken.
	Signals []KeptSignal `json:"kept_signals,omitempty"`
	// Levers are what a person can do to the run now, and why not.
	Levers []Lever `json:"levers,omitempty"`

	// Paused and Blocked are reasons. BlockedAt is since when nobody can go on with the run.
	Paused    string    `json:"paused,omitempty"`
	Blocked   string    `json:"blocked,omitempty"`
	BlockedAt time.Time `json:"blocked_at,omitzero"`
	// HeldUp is what waits until it is known whether an irreversible step took effect.
	HeldUp *HeldUp `json:"held_up,omitempty"`
	// Ended, Cause and Left are of a run that has ended.
	Ended time.Time       `json:"ended,omitzero"`
	Cause *domain.Failure `json:"cause,omitempty"`
	Left  []string        `json:"left,omitempty"`
}

// HeldUp is a cancel, or the passing of the run's deadline, that waits until it is known whether an
// irreversible step took effect.
type HeldUp struct {
	Step   string `json:"step"`
	Cancel bool   `json:"cancel,omitempty"`
	// Deadline is the deadline that has passed, if one has.
	Deadline time.Time `json:"deadline,omitzero"`
}

// KeptSignal is a signal that the run was sent and keeps for an await to come.
type KeptSignal struct {
	Name    string          `json:"name"`
	ID      string          `json:"id"`
	Payload json.RawMessage `json:"payload,omitempty"`
	At      time.Time       `json:"at,omitzero"`
}

// Link is a run in the chain that leads to the true blocker.
type Link struct {
	// At is the step of the run above that waits for this run.
	At  string       `json:"at"`
	Run domain.RunID `json:"run"`
	// Unseen means that the reader may not see the run, or that it can't be read; Text then says
	// which, and the chain ends.
	Unseen    bool             `json:"unseen,omitempty"`
	Saga      string           `json:"saga,omitempty"`
	Version   int              `json:"version,omitempty"`
	Key       string           `json:"key,omitempty"`
	Revision  int64            `json:"revision"`
	State     domain.RunState  `json:"state,omitempty"`
	Standing  Standing         `json:"standing,omitempty"`
	WaitsFor  For              `json:"waits_for,omitempty"`
	Headline  string           `json:"headline,omitempty"`
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	Next      time.Time        `json:"next,omitzero"`
	Text      string           `json:"text"`
	// Wait is the run's most telling wait.
	Wait *Wait `json:"wait,omitempty"`
}

// maxWaits bounds the list: a parallel of 10,000 steps is not told one by one.
const maxWaits = 100

// Why says what the run waits for at the given time, and lists the single waits. It changes
// nothing.
func Why(s *machine.State, now time.Time) Reason { return WhyWith(s, now, nil) }

// Surroundings are what is known around a run: it is not in its events. The methods are called
// concurrently.
type Surroundings interface {
	// PlaceOf returns the attempt that has held a place of the action for longest if none is free,
	// else nil.
	PlaceOf(action string) *Place
	// HoldOf returns the hold that keeps undos of the action, or else its other attempts, from
	// starting; nil for none.
	HoldOf(action string, undo bool) *Hold
	// Unsent says why an attempt was not handed to a worker yet: the broker refuses it. Empty means
	// that it was.
	Unsent(run domain.RunID, step string, dir domain.Direction, attempt int) string
}

// WhyWith is [Why] where the run's surroundings are known; nil means that they are not.
func WhyWith(s *machine.State, now time.Time, around Surroundings) Reason {
	r := Reason{Run: s.Run, Revision: s.Revision, State: s.Status(), Blocked: s.Blocked, BlockedAt: s.BlockedAt, Ended: s.EndedAt,
		HeldUp: heldUp(s, now), Levers: Levers(s, now)}
	for _, k := range s.Signals() {
		r.Signals = append(r.Signals, KeptSignal{Name: k.Name, ID: k.ID, Payload: k.Value, At: k.At})
	}
	if s.Paused {
		r.Paused = cmp.Or(s.PauseReason, "no reason given")
	}
	if s.End != "" {
		r.Cause, r.Left = s.Cause, s.Left
	}
	total := r.list(s, now, around)
	r.More = total - len(r.Waits)
	r.stand(s, total)
	r.Text = r.Tell(now, ClockIn(now, time.UTC))
	return r
}

// list lists the waits, the most telling first, and returns how many there are.
func (r *Reason) list(s *machine.State, now time.Time, around Surroundings) (total int) {
	held := s.Irreversible()
	if r.HeldUp == nil {
		held = nil
	}
	best, urgent := -1, -1
	s.Open(func(st *machine.Step) {
		if s.End != "" && !st.UndoOpen() {
			return // a failure handler
		}
		total++
		r.next(s, st)
		u := urgency[st.Phase]
		if st == held && u < urgency[machine.Stuck] {
			u = urgency[machine.Stuck] - 1 // told first, unless a person is needed
		}
		if len(r.Waits) >= maxWaits && u < urgency[machine.Failed] && u <= urgent {
			return
		}
		if u > urgent {
			best, urgent = len(r.Waits), u
		}
		r.Waits = append(r.Waits, wait(s, st, now, around))
	})
	if d := s.Start.Deadline; s.End == "" && !s.Turning && !s.PastPivot && !d.IsZero() {
		r.earliest(d)
	}
	if best > 0 {
		first := r.Waits[best]
		copy(r.Waits[1:best+1], r.Waits[:best])
		r.Waits[0] = first
	}
	return total
}

// next notes the time at which the step does something by itself.
func (r *Reason) next(s *machine.State, st *machine.Step) {
	t := st.Tries(st.Direction())
	switch st.Phase {
	case machine.Backoff, machine.UndoBackoff, machine.ProbeBackoff:
		if !s.Paused {
			r.earliest(t.RetryAt)
		}
	case machine.Running, machine.Undoing, machine.Probing:
		r.earliest(t.Due)
		r.earliest(t.BeatDue)
	case machine.Waiting:
		r.earliest(st.Due)
	}
}

func (r *Reason) earliest(t time.Time) {
	if !t.IsZero() && (r.Next.IsZero() || t.Before(r.Next)) {
		r.Next = t
	}
}

// urgency orders what is worth telling first.
var urgency = map[machine.Phase]int{
	machine.UndoStuck: 20, machine.Stuck: 19, machine.UndoFailed: 17, machine.Failed: 16, machine.UndoBackoff: 15, machine.Backoff: 14, machine.ProbeBackoff: 14, machine.ProbeDue: 13, machine.Probing: 12,
	machine.Undoing: 11, machine.Running: 10, machine.UndoDue: 9, machine.Ready: 8, machine.Waiting: 7,
}

// stand says how the run stands, and the headline.
func (r *Reason) stand(s *machine.State, total int) {
	switch {
	case s.End != "" && total == 0:
		r.Standing, r.Headline = Ended, string(s.End)
		return
	case total > 0 && r.Waits[0].WaitsFor == ForPerson:
	case s.End == "" && s.Paused:
		r.Standing, r.WaitsFor, r.Headline = Paused, ForResume, "paused"
		return
	case s.End == "" && s.Blocked != "" && (total == 0 || s.Owes()):
		r.Standing, r.WaitsFor, r.Headline = Blocked, ForProgram, "blocked: no program here can go on with it"
		return
	case total == 0:
		r.Standing, r.WaitsFor, r.Headline = Working, ForDecision, "nothing is in flight: the coordinator takes the next step"
		return
	}
	w := &r.Waits[0]
	r.Standing, r.Headline, r.Step, r.Direction = w.WaitsFor.Standing(), w.Headline, w.Step, w.Direction
	if s.End == "" {
		r.WaitsFor = w.WaitsFor
	}
}

// Follow adds the chain of child runs, the nearest first, and says so where the run at its end is
// stuck. The levers that are for stuck runs then name that run.
func (r *Reason) Follow(chain []Link, now time.Time) {
	if r.Chain = chain; len(chain) == 0 {
		return
	}
	if last := &chain[len(chain)-1]; last.Standing == Stuck && !r.Standing.needsPerson() {
		r.Standing, r.Headline = StuckBelow, "stuck below: "+last.Headline
		for i := range r.Levers {
			if l := &r.Levers[i]; l.Act.StuckOnly() && l.Off != "" {
				l.Off = "no step of this run is stuck: the stuck run is " + last.Run.String()
			}
		}
	}
	r.Text = r.Tell(now, ClockIn(now, time.UTC))
}

// heldUp says what waits until it is known whether an irreversible step takes effect.
func heldUp(s *machine.State, now time.Time) *HeldUp {
	st := s.Irreversible()
	if st == nil || s.PastPivot || s.Turning {
		return nil
	}
	h := HeldUp{Step: st.Path, Cancel: s.Cancel != nil && s.Cancel.Kind != domain.FailureDeadline}
	if d := s.Start.Deadline; !d.IsZero() && !now.Before(d) {
		h.Deadline = d
	}
	if !h.Cancel && h.Deadline.IsZero() {
		return nil
	}
	return &h
}
