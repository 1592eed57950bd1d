package look

import (
	"context"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/outlook"
)

// Around is what is known around a run. It is safe for concurrent use.
type Around interface {
	explain.Surroundings
	// FoldAt folds another run up to a revision, [Latest] for its end.
	FoldAt(ctx context.Context, run domain.RunID, revision int64) (*machine.State, error)
	// StateOf returns the state of an unfinished run without reading it, where that is known.
	StateOf(run domain.RunID) (domain.RunState, bool)
	// CodeOf returns the code of the run's saga, to be called on what is recorded.
	CodeOf(s *machine.State) outlook.Code
}

// Look is one look at a run: what may be shown of it, at one revision. It is not safe for
// concurrent use.
type Look struct {
	// Run is how the run stands, without its secrets.
	Run explain.Run
	// Cloak hides the run's secrets in whatever else is shown of it.
	Cloak *secret.Cloak
	// Sees reports whether the reader may see runs of a saga; nil means that all may be seen.
	Sees func(saga string) bool

	state  *machine.State
	around Around
}

// At looks at a folded state. The look owns it from then on. Around may be nil: then what only it
// knows is left out, as for a run as it once was.
func At(s *machine.State, around Around) *Look {
	run := explain.Describe(s)
	cloak := run.Cloak(s.Plan.Secrets())
	return &Look{Run: run.Hide(cloak), Cloak: cloak, state: s, around: around}
}

// Why says what the run waits for at the time: its own waits, and the chain of child runs down to
// the one that it waits for in the end. ctx bounds the reading of those.
func (l *Look) Why(ctx context.Context, now time.Time) explain.Reason {
	why := l.own(now)
	if l.around != nil {
		c := chain{around: l.around, sees: l.Sees, now: now, left: maxRead}
		why.Follow(c.below(ctx, l.state, &why), now)
	}
	return why
}

// own is Why without the runs below.
func (l *Look) own(now time.Time) explain.Reason {
	var around explain.Surroundings
	if l.around != nil {
		around = l.around
	}
	return explain.WhyWith(l.state, now, around).Hide(l.Cloak)
}

// Undo tells, step by step, what cancelling the run would do at the time. It consumes the state
// that the run was looked at: this is the last question.
func (l *Look) Undo(now time.Time) explain.Preview {
	return explain.PreviewCancel(l.state, now).Hide(l.Cloak)
}

// Outlook tells which ends people's acts can lead to at the time, given what the world may answer
// next. It takes [outlook.Longest] at the most. It consumes the state, as Undo does.
func (l *Look) Outlook(ctx context.Context, now time.Time) outlook.Outlook {
	ctx, stop := context.WithTimeout(ctx, outlook.Longest)
	defer stop()
	q := outlook.Question{State: l.state, Now: now}
	if l.around != nil {
		q.Code = l.around.CodeOf(l.state)
	}
	return outlook.Of(ctx, q).Hide(l.Cloak)
}

// Unreadable is the answer to "why?" for a run that can't be read, which is why it waits.
func Unreadable(run domain.RunID, state domain.RunState, err error) explain.Reason {
	return explain.Reason{Run: run, Revision: -1, State: state, Standing: explain.Blocked, WaitsFor: explain.ForProgram,
		Headline: "this program can't read the run", Text: err.Error()}
}
