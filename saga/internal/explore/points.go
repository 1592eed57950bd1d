package explore

import (
	"fmt"
	"slices"
	"strings"
)

// Answer is how the world answers at a point.
type Answer string

// The answers at an attempt. Those that end in -done come after the effect.
const (
	OK           Answer = "ok"
	Refused      Answer = "refused"        // it says for good that nothing was done
	Failed       Answer = "failed"         // an ordinary error, without effect
	FailedDone   Answer = "failed-done"    // an ordinary error after the effect
	TimedOut     Answer = "timed-out"      // no answer, without effect
	TimedOutDone Answer = "timed-out-done" // no answer, after the effect
	Died         Answer = "died"           // the process died before the effect
	DiedDone     Answer = "died-done"      // … after the effect, before the outcome was recorded
	DiedRecorded Answer = "died-recorded"  // … after the outcome was recorded
	Twice        Answer = "twice"          // delivered twice under one key
	Late         Answer = "late"           // given up; effect and success come when the run rests
	Stray        Answer = "stray"          // given up; the effect comes when the run rests, untold
	Unknown      Answer = "unknown"        // a probe that can't tell
	AnswerLater  Answer = "answer-later"   // its effect now, its answer after a sibling's
)

// The answers at an edge, besides Died and DiedDone, TimedOut and TimedOutDone.
const (
	NeverLeft  Answer = "never-left"  // the request did not reach the other side
	AnswerLost Answer = "answer-lost" // the other side did it; its answer did not arrive
)

// What people and the world may do besides.
const (
	Cancel     Answer = "cancel"
	PauseHere  Answer = "pause"
	Deploy     Answer = "deploy"
	SwitchRun  Answer = "other-run"
	Early      Answer = "early"
	Never      Answer = "never"
	LastMoment Answer = "last-moment"
	TooLate    Answer = "too-late"
	Leave      Answer = "leave"
	RetryIt    Answer = "retry"
	SkipIt     Answer = "skip"
	Substitute Answer = "substitute"
	Abandon    Answer = "abandon"
)

// Extents of an answer: without one it is given once.
const (
	untilLast = " until last" // at every attempt but the last
	always    = " always"     // at every attempt, until a person acts
)

// base returns the answer without its extent.
func (a Answer) base() Answer {
	b, _, _ := strings.Cut(string(a), " ")
	return Answer(b)
}

func (a Answer) extent() string { return strings.TrimPrefix(string(a), string(a.base())) }

// isFirst reports whether the answer says which of the attempts in flight goes first.
func (a Answer) isFirst() bool { return strings.HasPrefix(string(a), firstOf) }

const firstOf = "first:"

// extents returns the answers once, until the last of the attempts, and always.
func extents(attempts int, answers ...Answer) []Answer {
	out := slices.Clone(answers)
	if attempts > 2 {
		for _, a := range answers {
			out = append(out, a+untilLast)
		}
	}
	if attempts > 1 {
		for _, a := range answers {
			out = append(out, a+always)
		}
	}
	return out
}

// Choice is an answer at a point that is not the usual one.
type Choice struct {
	At     string
	Answer Answer
}

// Misfit is a choice of an answer that can't be given at its point, with those that can.
type Misfit struct {
	Choice
	Others []Answer
}

// String says what is wrong with the choice.
func (m Misfit) String() string {
	return fmt.Sprintf("%q can't be %q: it can be %s", m.At, m.Answer, list(m.Others))
}

// list writes answers with commas.
func list(answers []Answer) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprintf("%q", answers), `[]"`), `" "`, ", ")
}

// Schedule is what deviates from a run in which everything succeeds, in the order in which it comes
// up. Given the same world and saga, it is played the same way each time.
type Schedule []Choice

// nothing is how the schedule is written in which nothing goes wrong.
const nothing = "none"

// String writes a schedule as [ParseSchedule] reads it.
func (s Schedule) String() string {
	if len(s) == 0 {
		return nothing
	}
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = c.At + " = " + string(c.Answer)
	}
	return strings.Join(parts, "; ")
}

// ParseSchedule reads what [Schedule.String] wrote. Of an empty text it returns nil: no schedule.
func ParseSchedule(text string) (Schedule, error) {
	if strings.TrimSpace(text) == nothing {
		return Schedule{}, nil
	}
	var s Schedule
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		at, answer, ok := strings.Cut(part, " = ")
		if !ok {
			return nil, fmt.Errorf(`%q is not a choice: write "POINT = ANSWER", as a report prints it`, part)
		}
		s = append(s, Choice{strings.TrimSpace(at), Answer(strings.TrimSpace(answer))})
	}
	return s, nil
}

// passed is a point that a scene came to.
type passed struct {
	at     string
	others []Answer // that could have been given instead
	given  Answer
	action string // for the matrix: action and direction, or what else it is
	spoilt bool   // the schedule broke something by other choices
	// unjudged means that nothing could tell whether the saga held.
	unjudged bool
}
