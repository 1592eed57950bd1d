package alerts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// blockedTold is how long runs may be blocked before somebody is told: while programs are
// exchanged, runs are blocked for a moment.
const blockedTold = 2 * time.Minute

// blockedRuns are the blocked runs of one version of a saga. One alert tells of all of them.
type blockedRuns struct {
	Saga    string `json:"saga"`
	Version int    `json:"version"`
	// Runs are some of them, the oldest first; Told counts those of them that were told.
	Runs []domain.RunID `json:"runs"`
	Told int            `json:"told,omitempty"`
	// Reason is that of the first run, At is when they are told.
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	// due is At on the steady clock; fresh means that a run was blocked since they were told.
	due   time.Time
	fresh bool
}

const (
	// keptBlocked bounds the runs of one version that are remembered, and mostBlocked the versions.
	keptBlocked = 20
	mostBlocked = 100
)

// blockedKey names a version of a saga; it is empty for runs whose beginning can't be read.
type blockedKey struct {
	saga    string
	version int
}

// isBlocked notes that a run was blocked, at the time.
func (r *runner) isBlocked(ctx context.Context, run domain.RunID, reason string, at time.Time) error {
	var key blockedKey
	started, _, err := r.a.Started(ctx, run)
	switch {
	case err == nil:
		key = blockedKey{started.Saga, started.Version}
	case !errors.Is(err, domain.ErrUnreadable) && !errors.Is(err, domain.ErrNotFound):
		return err
	}
	b := r.blocked[key]
	if b == nil {
		if len(r.blocked) >= mostBlocked {
			return nil
		}
		b = &blockedRuns{Saga: key.saga, Version: key.version, Reason: reason, At: at.Add(blockedTold)}
		b.due = r.steady(b.At)
		r.blocked[key] = b
	}
	b.fresh = b.Told > 0
	if slices.Contains(b.Runs, run) {
		return nil
	}
	if b.Told > 0 && len(b.Runs) == keptBlocked {
		b.Runs, b.Told = b.Runs[1:], b.Told-1
	}
	if len(b.Runs) < keptBlocked {
		b.Runs = append(b.Runs, run)
	}
	return nil
}

// tellBlocked tells of the versions whose runs have been blocked for a while, and forgets those
// whose runs go on.
func (r *runner) tellBlocked(ctx context.Context) error {
	if !r.caughtUp {
		return nil
	}
	now := r.a.Clock.Steady()
	for key, b := range r.blocked {
		if now.Before(b.due) || b.Told > 0 && !b.fresh {
			continue
		}
		if b.fresh = false; !r.blockedYet(ctx, b) {
			delete(r.blocked, key)
			continue
		}
		if b.Told > 0 || now.Before(b.due) {
			continue
		}
		if err := r.a.MayTell(); err != nil {
			return err
		}
		if err := r.sink.tell(ctx, b.alert()); err != nil {
			return err
		}
		b.Told = len(b.Runs)
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// blockedYet forgets the runs that are blocked no more, and reports whether any are. When those
// that were told all go on, the others are blocked for another reason, which is told in its turn.
func (r *runner) blockedYet(ctx context.Context, b *blockedRuns) bool {
	gone := func(run domain.RunID) bool { return !r.stays(ctx, run) }
	known := slices.DeleteFunc(slices.Clone(b.Runs[:b.Told]), gone)
	others := slices.DeleteFunc(slices.Clone(b.Runs[b.Told:]), gone)
	switch {
	case len(known) > 0:
		b.Runs = slices.Concat(known, others)
		b.Told = len(b.Runs)
	case b.Told > 0:
		b.Runs, b.Told, b.At = others, 0, r.a.Clock.Now().Add(blockedTold)
		b.due = r.steady(b.At)
	default:
		b.Runs = others
	}
	return len(b.Runs) > 0
}

// stays reports whether a run is still blocked, or can't be read.
func (r *runner) stays(ctx context.Context, run domain.RunID) bool {
	if !r.a.Unfinished(run) {
		return false
	}
	s, err := r.a.State(ctx, run)
	return err != nil || s.Blocked != "" && s.End == ""
}

// alert is the one alert of a version. It names one of the runs.
func (b *blockedRuns) alert() domain.Alert {
	runs := "one run of"
	if n := len(b.Runs); n >= keptBlocked {
		runs = fmt.Sprintf("%d or more runs of", n)
	} else if n > 1 {
		runs = fmt.Sprintf("%d runs of", n)
	}
	of := fmt.Sprintf(" %s v%d", b.Saga, b.Version)
	if b.Saga == "" {
		of = " an unknown saga"
	}
	text := fmt.Sprintf("no program goes on with %s%s: %s; what is blocked goes on by itself when a program can, and state:blocked finds it", runs, of, strings.TrimSuffix(b.Reason, "."))
	return domain.Alert{ID: fmt.Sprintf("%s/blocked/%d", b.Runs[0], b.At.Unix()), Kind: domain.AlertBlocked, Run: b.Runs[0], Saga: b.Saga, Version: b.Version,
		At: b.At, Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: domain.ShortMessage(text)}}
}
