package outlook

import (
	"context"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
)

// Outlook is what can still become of a run.
type Outlook struct {
	Run domain.RunID `json:"run"`
	// Revision is that of the run which the outlook is of.
	Revision int64           `json:"revision"`
	State    domain.RunState `json:"state"`
	// Acts are what a person can do, or leave undone, now. A run that has ended has none.
	Acts []Act `json:"acts,omitempty"`
	// States counts the states that were looked at.
	States int `json:"states"`
	// Cut says why not everything was looked at; it is empty where everything was.
	Cut string `json:"cut,omitempty"`
}

// Act is something that a person can do now, and what it can lead to.
type Act struct {
	Act explain.Act `json:"act"`
	// Step is the stuck step that it is done to; empty where the act is about the whole run, or
	// about all its stuck steps.
	Step      string           `json:"step,omitempty"`
	Direction domain.Direction `json:"direction,omitempty"`
	// Text says it for people.
	Text string `json:"text"`
	// Ends are all ends that can be reached, those with the fewest surprises first.
	Ends []End `json:"ends"`
	// More counts further ends that are not listed: several steps are stuck at once of which each
	// is listed as stuck alone, or there are more than anybody would read.
	More int `json:"more,omitempty"`
	// Cut means that not everything that may follow was looked at.
	Cut bool `json:"cut,omitempty"`
}

// ActWait is to do nothing: the run goes on as it would.
const ActWait explain.Act = "wait"

// End is what a run can come to: the end of the run, or a state in which it stands still.
type End struct {
	// State is the run's; of a run that stands still it is running, compensating or stuck.
	State domain.RunState `json:"state"`
	// Stuck are the steps that need a person.
	Stuck []StuckAt `json:"stuck,omitempty"`
	// Waits are what the run waits for, and will wait for: each in words.
	Waits []string `json:"waits,omitempty"`
	// Left are the steps whose effect is left, or may be.
	Left []string `json:"left,omitempty"`
	// Without are the steps of a completed run that were skipped or ignored.
	Without []string `json:"without,omitempty"`
	// Answers are the fewest answers of the world that lead here. All other attempts succeed.
	Answers []Answer `json:"answers,omitempty"`
	// Depends is what decides besides, and is not recorded yet: each in words.
	Depends []string `json:"depends,omitempty"`
	// Text says what the run comes to, and If under which answers.
	Text string `json:"text"`
	If   string `json:"if"`
}

// StuckAt is a step that needs a person.
type StuckAt struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction"`
}

// Answer is one answer of the world.
type Answer struct {
	Step      string           `json:"step"`
	Direction domain.Direction `json:"direction,omitempty"`
	// Attempt is the attempt that is answered so, the first of several where Gives says so; 0 where
	// the answer is not that of an attempt.
	Attempt int   `json:"attempt,omitempty"`
	Gives   Gives `json:"gives"`
	// Name is that of the signal, event or branch.
	Name string `json:"name,omitempty"`
	// Text says it for people.
	Text string `json:"text"`
}

// Gives is what the world answers.
type Gives string

// The answers that are told. That attempts succeed is not told.
const (
	// Refused is a failure for good, with nothing done.
	Refused Gives = "refused"
	// Fails is a failure with nothing done, of this attempt and all that follow.
	Fails Gives = "fails"
	// Doubt is an attempt that times out: nobody knows whether it had its effect. Without a probe,
	// so do all that follow.
	Doubt Gives = "in doubt"
	// Applied, NotApplied and Unknown are answers of a probe.
	Applied    Gives = "applied"
	NotApplied Gives = "not applied"
	Unknown    Gives = "unknown"
	// Arrives and Never are about a signal or event that is awaited.
	Arrives Gives = "arrives"
	Never   Gives = "never"
	// Completes, Undone, PastPivot and Stays are about a child run: it completes, it is undone, it
	// can't be undone, it does not end.
	Completes Gives = "completes"
	Undone    Gives = "undone"
	PastPivot Gives = "past pivot"
	Stays     Gives = "stays"
	// Takes is the branch that a switch takes, and Items that an each has items or, with the name
	// "none", none. CodeFails is code that fails on a value that is not recorded yet.
	Takes     Gives = "takes"
	Items     Gives = "items"
	CodeFails Gives = "code fails"
	// Planned says of steps that are planned at run time that the planner is done.
	Planned Gives = "planned"
)

// Question asks for the outlook on a run.
type Question struct {
	// State is the run's. The outlook consumes it.
	State *machine.State
	Now   time.Time
	// Code is the code of the run's saga; nil where no program is at hand.
	Code Code
	// Most bounds how much is looked at, in steps of the run; 0 means [Most].
	Most int
}

const (
	// Most is how many steps are looked at by default, each counted once for every state that it is
	// looked at in.
	Most = 1_500_000
	// Longest is how long an outlook may take by default.
	Longest = 2 * time.Second
	// maxEnds bounds the ends that are listed of one act.
	maxEnds = 24
)

// Of plays what may still happen. Once ctx has ended, it returns what it has, and says so.
func Of(ctx context.Context, q Question) Outlook {
	s := q.State
	o := Outlook{Run: s.Run, Revision: s.Revision, State: s.Status()}
	if s.End != "" || s.Revision < 0 {
		return o
	}
	if q.Code == nil {
		q.Code = noCode{}
	}
	if q.Most == 0 {
		q.Most = Most
	}
	acts := actsOf(s, q.Now)
	for i, a := range acts {
		x := newSearch(ctx, &q, q.Most/(len(acts)-i))
		x.from(a)
		q.Most -= x.looked
		o.Acts, o.States = append(o.Acts, x.act), o.States+x.states
		if x.missed != nil {
			o.Cut = whyCut(x.missed)
		}
	}
	return o
}

var (
	errMuch  = errors.New("there is more than can be looked at")
	errPlans = errors.New("steps are planned at run time")
	errHangs = errors.New("code of the saga does not return")
)

func whyCut(err error) string {
	switch {
	case errors.Is(err, errMuch):
		return "the run can go on in more ways than were looked at: there may be further ends"
	case errors.Is(err, errPlans):
		return "the run plans steps as it goes: those that are not planned yet were not looked at"
	case errors.Is(err, errHangs):
		return "code of the saga did not return: what comes after it was not looked at"
	}
	return "time was up: there may be further ends"
}
