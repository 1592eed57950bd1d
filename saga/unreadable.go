package saga

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/atonehq/atone/domain"
)

// unreadable wraps the reason why a run can't be read.
func unreadable(id domain.RunID, err error) error { return &UnreadableError{Run: id, Err: err} }

// UnreadableRun is an unfinished run that this coordinator can't read.
type UnreadableRun struct {
	Run domain.RunID `json:"run"`
	// Reason is a sentence, Since when it was found.
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

// unreadables are the unfinished runs that can't be read. It is safe to use concurrently.
type unreadables struct {
	mu   sync.Mutex
	runs map[domain.RunID]UnreadableRun
}

// unreadableDelay is when a run that can't be read is looked at again: what it lacks, a plan for example, may come.
const unreadableDelay = 5 * time.Minute

// note remembers a run that can't be read, and reports whether that is news.
func (u *unreadables) note(id domain.RunID, reason string, now time.Time) (news bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	known, ok := u.runs[id]
	if ok && known.Reason == reason {
		return false
	}
	if u.runs == nil {
		u.runs = make(map[domain.RunID]UnreadableRun)
	}
	if !ok {
		known.Since = now
	}
	u.runs[id] = UnreadableRun{Run: id, Reason: reason, Since: known.Since}
	return true
}

// forget drops a run that was read, or that is over.
func (u *unreadables) forget(id domain.RunID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.runs, id)
}

// UnreadableRuns lists the unfinished runs that this coordinator could not read when it last looked, the longest known
// first. They wait; all others go on. A run of which nothing was owed yet is not looked at, and not listed.
func (c *Coordinator) UnreadableRuns() []UnreadableRun {
	c.unreadable.mu.Lock()
	defer c.unreadable.mu.Unlock()
	list := make([]UnreadableRun, 0, len(c.unreadable.runs))
	for id, r := range c.unreadable.runs {
		if c.wakeups.Has(id) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b UnreadableRun) int { return a.Since.Compare(b.Since) })
	return list
}

// isUnreadable notes and, once, logs a run that can't be read. It returns false for all other errors.
func (c *Coordinator) isUnreadable(id domain.RunID, err error) bool {
	if !errors.Is(err, ErrUnreadable) {
		return false
	}
	if c.unreadable.note(id, err.Error(), c.clock.Now()) {
		c.logger.Error("a run waits because it can't be read; all others go on", "run", id, "error", err)
	}
	return true
}
