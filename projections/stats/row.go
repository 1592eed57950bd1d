package stats

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Row has the statistics of an action in one direction or, if Action is empty, of a saga's runs.
type Row struct {
	Saga      string
	Action    string
	Direction domain.Direction
	Counts
	// Latency is that of attempts from start to outcome, or of runs from start to end.
	Latency Histogram
}

// FailureRate is the share of failures among the outcomes, from 0 to 1; of runs, see
// [Counts.RunsFailed].
func (r *Row) FailureRate() float64 {
	failed := r.Failed
	if r.Action == "" {
		failed = r.RunsFailed()
	}
	return share(failed, r.Succeeded+failed)
}

// RetryRate is the share of retries among the attempts, from 0 to 1.
func (r *Row) RetryRate() float64 { return share(r.Retried, r.Started) }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Counts are the counts of an action in one direction, or of a saga's runs.
type Counts struct {
	// Started counts attempts, or runs.
	Started int64
	// Succeeded counts attempts that succeeded, or runs that completed.
	Succeeded int64
	// Failed counts attempts that failed, timed out or were lost, or runs that were compensated.
	Failed int64
	// Retried counts attempts that were not the first.
	Retried int64
	// TimedOut and Lost are among Failed.
	TimedOut int64
	Lost     int64
	// Cancelled and Abandoned count runs; Stuck counts incidents.
	Cancelled int64
	Abandoned int64
	Stuck     int64
	// StuckMore counts the runs that became stuck, less those that are so no longer, and
	// WaitingMore the runs that began to wait (for a time, a signal, an event, the next attempt or
	// to be resumed), less those that go on. Either may be negative. Over all time they count the
	// runs that are so now.
	StuckMore   int64
	WaitingMore int64
}

// RunsFailed counts runs that failed: those that were compensated or abandoned, and those that are
// stuck. A run that was stuck and then completed is taken off again where it completed, so over a
// short time more may be taken off than was added; then it is 0.
func (c Counts) RunsFailed() int64 { return max(0, c.Failed+c.Abandoned+c.StuckMore) }

// Add adds other counts.
func (c *Counts) Add(o Counts) {
	c.Started += o.Started
	c.Succeeded += o.Succeeded
	c.Failed += o.Failed
	c.Retried += o.Retried
	c.TimedOut += o.TimedOut
	c.Lost += o.Lost
	c.Cancelled += o.Cancelled
	c.Abandoned += o.Abandoned
	c.Stuck += o.Stuck
	c.StuckMore += o.StuckMore
	c.WaitingMore += o.WaitingMore
}

// Point is a statistic over one bucket of time.
type Point struct {
	Row
	// From is when the bucket begins, and Width how long it is; both are zero for all time.
	From  time.Time
	Width time.Duration
}
