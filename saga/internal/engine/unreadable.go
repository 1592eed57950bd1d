package engine

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// unreadables are the unfinished runs that can't be read. It is safe to use concurrently.
type unreadables struct {
	mu   sync.Mutex
	runs map[domain.RunID]domain.UnreadableRun
}

// unreadableDelay is how long until a run that can't be read is looked at again: what it lacks,
// such as a plan, may have come.
const unreadableDelay = 5 * time.Minute

// note remembers a run that can't be read. news is false if that was known.
func (u *unreadables) note(id domain.RunID, reason string, now time.Time) (news bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.runs[id]
	if ok && known.Reason == reason {
		return false
	}
	if u.runs == nil {
		u.runs = make(map[domain.RunID]domain.UnreadableRun)
	}
	if !ok {
		known.Since = now
	}
	u.runs[id] = domain.UnreadableRun{Run: id, Reason: reason, Since: known.Since}
	return true
}

// forget drops a run that was read, or that is over.
func (u *unreadables) forget(id domain.RunID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.runs, id)
}

// Unreadable lists the unfinished runs that this coordinator could not read when it last looked,
// the longest known first. These runs wait; all others go on. A run that owed nothing so far was
// not looked at, and is not listed.
func (e *Engine) Unreadable() []domain.UnreadableRun {
	e.unreadable.mu.Lock()
	defer e.unreadable.mu.Unlock()
	list := make([]domain.UnreadableRun, 0, len(e.unreadable.runs))
	for id, r := range e.unreadable.runs {
		if e.cfg.Wakeups.Has(id) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b domain.UnreadableRun) int { return a.Since.Compare(b.Since) })
	return list
}

// IsUnreadable notes and, once, logs a run that can't be read; there is an alert if it stays so. It
// returns false for all other errors.
func (e *Engine) IsUnreadable(id domain.RunID, err error) bool {
	if !errors.Is(err, domain.ErrUnreadable) {
		return false
	}
	now := e.cfg.Clock.Now()
	if e.unreadable.note(id, err.Error(), now) {
		e.cfg.Logger.Error("a run waits because it can't be read; all others go on", "run", id, "error", err)
		e.cfg.Tell(domain.Alert{ID: id.String() + "/unreadable", Kind: domain.AlertBlocked, Run: id, At: now,
			Cause: &domain.Failure{Kind: domain.FailureRetryable, Message: domain.ShortMessage(err.Error())}})
	}
	return true
}
