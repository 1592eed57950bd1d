package saga

import (
	"cmp"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
)

// Unlimited, as Retry.MaxAttempts, means that attempts are not counted.
const Unlimited = domain.Unlimited

// Jitter says how a delay is spread, see [Retry.Jitter].
type Jitter = domain.Jitter

// The kinds of jitter.
const (
	JitterFull     = domain.JitterFull
	JitterEqual    = domain.JitterEqual
	JitterFraction = domain.JitterFraction
	JitterNone     = domain.JitterNone
)

// Retry says when a failed attempt is tried again. The zero value is the default: for
// doing 5 attempts, for undoing 10, with exponential backoff from 200 ms to 30 s and equal
// jitter. A field left zero takes its own default.
type Retry struct {
	// MaxAttempts counts the first attempt too; 1 means no retry, [Unlimited] no end.
	// 0 means 5 (undo: 10).
	MaxAttempts int
	// Initial is the delay after the first failure, 0 meaning 200 ms; each further delay is
	// Multiplier times the last (0 meaning 2), up to Max (0 meaning 30 s, or Initial if longer).
	Initial    time.Duration
	Multiplier float64
	Max        time.Duration
	// Jitter spreads the delay; empty means JitterEqual. Fraction is the width of
	// JitterFraction, 0 meaning 0.2.
	Jitter   Jitter
	Fraction float64
	// MaxElapsed is how long after the first attempt's start another may still begin; 0 means
	// for ever. TotalTimeout also ends an attempt that is in flight.
	MaxElapsed, TotalTimeout time.Duration
	// NonRetryable lists errors (compared by errors.Is) that end the retries at once.
	NonRetryable []error
	// IsNonRetryable, if set, says the same by predicate; errors.As goes here.
	IsNonRetryable func(error) bool
}

var (
	defaultRetry     = Retry{MaxAttempts: 5, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 30 * time.Second, Jitter: JitterEqual, Fraction: 0.2}
	defaultUndoRetry = Retry{MaxAttempts: 10, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 30 * time.Second, Jitter: JitterEqual, Fraction: 0.2}
)

// policy fills in the defaults.
func (r Retry) policy(d Retry) domain.RetryPolicy {
	p := domain.RetryPolicy{
		MaxAttempts:  cmp.Or(r.MaxAttempts, d.MaxAttempts),
		Initial:      domain.Duration(cmp.Or(r.Initial, d.Initial)),
		Multiplier:   cmp.Or(r.Multiplier, d.Multiplier),
		Jitter:       cmp.Or(r.Jitter, d.Jitter),
		MaxElapsed:   domain.Duration(r.MaxElapsed),
		TotalTimeout: domain.Duration(r.TotalTimeout),
	}
	p.Max = domain.Duration(cmp.Or(r.Max, max(d.Max, time.Duration(p.Initial))))
	if p.Jitter == JitterFraction {
		p.Fraction = cmp.Or(r.Fraction, d.Fraction)
	}
	return p
}

func (r Retry) permanent(err error) bool {
	for _, e := range r.NonRetryable {
		if errors.Is(err, e) {
			return true
		}
	}
	return r.IsNonRetryable != nil && r.IsNonRetryable(err)
}
