package saga

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
	"github.com/atonehq/atone/saga/internal/cluster"
	"github.com/atonehq/atone/saga/internal/journal"
	"github.com/atonehq/atone/saga/internal/work"
)

// ErrLogSilent means that the log has not answered appends for seconds. They wait and are tried
// again.
var ErrLogSilent = errors.New("the log does not answer")

// LogSilence returns for how long the log has not answered appends; 0 if it answers or if nobody
// appends. Nodes of a cluster append a sign of life every quarter of [Config.NodeTimeout].
func (c *Coordinator) LogSilence() time.Duration { return c.journal.Silence() }

// Health returns nil while the coordinator can start and move runs, else why it can't: it has not
// started or is stopping ([ErrNotRunning]), its log takes no more appends ([domain.ErrFailed]), or
// the log has not answered them for two seconds ([ErrLogSilent]). It does not wait. Use it for a
// readiness probe.
func (c *Coordinator) Health() error {
	if err := c.journal.Failed(); err != nil {
		return err
	}
	if c.state.Load() != stateRunning {
		return ErrNotRunning
	}
	if s := c.LogSilence(); s >= journal.RefuseSilence {
		return fmt.Errorf("%w: appends wait for %v", ErrLogSilent, s.Round(100*time.Millisecond))
	}
	return nil
}

// UnreadableRun is an unfinished run that a coordinator can't read.
type UnreadableRun = domain.UnreadableRun

// UnreadableRuns lists the unfinished runs that this coordinator could not read when it last
// looked, the longest known first. These runs wait; all others go on. A run that owed nothing so
// far was not looked at, and is not listed.
func (c *Coordinator) UnreadableRuns() []UnreadableRun { return c.engine.Unreadable() }

// ClockStatus says how a coordinator's wall clock was set.
type ClockStatus struct {
	// Stepped is by how much the wall clock was set since the coordinator was made, forward if
	// positive.
	Stepped time.Duration
	// Steps counts how often it was set.
	Steps int64
}

// Clock returns how often, and by how much, this process's wall clock was set since the coordinator
// was made.
func (c *Coordinator) Clock() ClockStatus {
	stepped, steps := c.clock.Steps()
	return ClockStatus{Stepped: stepped, Steps: steps}
}

// SkewTold is the difference between two nodes' clocks above which an alert is sent.
const SkewTold = cluster.SkewTold

// Node is a coordinator on the log, as this one sees it.
type Node = cluster.Node

// Nodes lists, by name, this coordinator and the others on its log that have shown signs of life
// and have not left, each with its latest incarnation. Without [Config.Shared] there are no others.
func (c *Coordinator) Nodes() []Node { return c.cluster.Nodes() }

// QueueDepth is how much work there is for one action in this process.
type QueueDepth = work.Depth

// QueueDepths returns the depth of each action's queue; it is empty before the coordinator has
// started.
func (c *Coordinator) QueueDepths() map[string]QueueDepth {
	select {
	case <-c.ready:
	default:
		return nil
	}
	return c.engine.Depths()
}

// PlaceOf returns the attempt that has held a place of the action for longest, or nil if a place is
// free. A hanging attempt comes before all others.
func (c *Coordinator) PlaceOf(action string) *explain.Place {
	select {
	case <-c.ready: // the places are made
	default:
		return nil
	}
	if p := c.engine.PlacesOf(action); p != nil {
		return p.Oldest()
	}
	return nil
}

// TriggersHeldUp returns the triggers that make no progress, by saga and event type, and for how
// long: their code hangs, the runs that they start can't be started, or their events can't be read.
// After a minute there is an alert ([AlertTrigger]). A trigger whose runs wait for a place among
// [Config.MaxRuns] makes progress.
func (c *Coordinator) TriggersHeldUp() map[string]time.Duration {
	if in := c.inbox.Load(); in != nil {
		return in.HeldUp()
	}
	return nil
}

// EventsRejected counts, by trigger, the events since this process began that could not start a run
// because the trigger's code failed or their payloads don't fit. The first, tenth, hundredth … is
// told as an alert ([AlertRejected]), and [Coordinator.Rejected] lists each.
func (c *Coordinator) EventsRejected() map[string]int64 {
	if in := c.inbox.Load(); in != nil {
		return in.Rejected()
	}
	return nil
}

// AlertsHeldUp returns the alert sinks that have not taken their alert, by type, and for how long.
func (c *Coordinator) AlertsHeldUp() map[string]time.Duration { return c.alerts.HeldUp() }

// Stats counts what a coordinator has done since it was made.
type Stats struct {
	// Appends and Events count what was written to run streams; Conflicts how often
	// somebody else wrote first.
	Appends, Events, Conflicts atomic.Int64
}

// Stats returns the coordinator's counters; they go on counting.
func (c *Coordinator) Stats() *Stats { return (*Stats)(&c.engine.Counts) }

// ActiveRuns returns how many runs are under way, each with its child runs as one, not counting
// those that only wait.
func (c *Coordinator) ActiveRuns() int { return c.engine.Active() }

// UnfinishedRuns returns how many runs have not ended.
func (c *Coordinator) UnfinishedRuns() int { return c.wakeups.Len() }
