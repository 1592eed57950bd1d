package domain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"
)

// Duration is a time.Duration that is written to JSON as text ("1m30s").
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Jitter says how the delay before a retry is spread.
type Jitter string

// The kinds of jitter (Brooker, "Exponential Backoff and Jitter", 2015).
const (
	// JitterFull draws the delay from zero to the computed delay.
	JitterFull Jitter = "full"
	// JitterEqual draws it from half the computed delay to all of it.
	JitterEqual Jitter = "equal"
	// JitterFraction draws it within ±Fraction of the computed delay.
	JitterFraction Jitter = "fraction"
	// JitterNone uses the computed delay.
	JitterNone Jitter = "none"
)

// Unlimited, as MaxAttempts, means that attempts are not counted.
const Unlimited = -1

// RetryPolicy says when a failed step is tried again. All fields are set: the package saga fills in
// defaults.
type RetryPolicy struct {
	// MaxAttempts is the number of attempts in all, the first one included, or Unlimited.
	MaxAttempts int `json:"max_attempts"`
	// Initial is the delay before the second attempt; each further one is Multiplier
	// times the one before, never more than Max.
	Initial    Duration `json:"initial"`
	Multiplier float64  `json:"multiplier"`
	Max        Duration `json:"max"`
	Jitter     Jitter   `json:"jitter"`
	// Fraction is the width of JitterFraction, from 0 to 1.
	Fraction float64 `json:"fraction,omitempty"`
	// MaxElapsed, counted from the first attempt's start, is how long further attempts may begin; 0
	// means for ever.
	MaxElapsed Duration `json:"max_elapsed,omitempty"`
	// TotalTimeout, counted from the first attempt's start, also ends the attempt in flight; 0
	// means never.
	TotalTimeout Duration `json:"total_timeout,omitempty"`
}

// Policy is what of an action may change while runs are under way, without a new version of their
// saga: when its attempts are given up, and when they are tried again.
type Policy struct {
	Retry            RetryPolicy `json:"retry"`
	UndoRetry        RetryPolicy `json:"undo_retry,omitzero"`
	Timeout          Duration    `json:"timeout"`
	UndoTimeout      Duration    `json:"undo_timeout,omitzero"`
	HeartbeatTimeout Duration    `json:"heartbeat_timeout,omitzero"`
}

// For returns the part of the policy that is for attempts of the direction.
func (p Policy) For(dir Direction) (RetryPolicy, Duration) {
	if dir == Undo {
		return p.UndoRetry, p.UndoTimeout
	}
	return p.Retry, p.Timeout
}

// Validate reports every field that is out of range.
func (p RetryPolicy) Validate() error {
	var errs []error
	bad := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(p.MaxAttempts >= 1 || p.MaxAttempts == Unlimited, "retry: MaxAttempts is %d: use 1 or more, or Unlimited", p.MaxAttempts)
	bad(p.Initial >= 0, "retry: Initial is negative (%v)", time.Duration(p.Initial))
	bad(p.Max >= p.Initial, "retry: Max (%v) is below Initial (%v)", time.Duration(p.Max), time.Duration(p.Initial))
	bad(p.Multiplier >= 1 && !math.IsInf(p.Multiplier, 0), "retry: Multiplier is %v: use 1 or more", p.Multiplier)
	bad(p.Fraction >= 0 && p.Fraction <= 1, "retry: Fraction is %v: use 0 to 1", p.Fraction)
	bad(p.MaxElapsed >= 0, "retry: MaxElapsed is negative (%v)", time.Duration(p.MaxElapsed))
	bad(p.TotalTimeout >= 0, "retry: TotalTimeout is negative (%v)", time.Duration(p.TotalTimeout))
	switch p.Jitter {
	case JitterFull, JitterEqual, JitterFraction, JitterNone:
	default:
		errs = append(errs, fmt.Errorf("retry: Jitter is %q: use full, equal, fraction or none", p.Jitter))
	}
	return errors.Join(errs...)
}

// Delay returns how long to wait after the given attempt (1, 2 …) before the next. The jitter is a
// function of the seed and the attempt, so that the same history always gives the same delay. It is
// never negative, and at most the longest time.Duration.
func (p RetryPolicy) Delay(attempt int, seed string) time.Duration {
	if p.Initial <= 0 {
		return 0 // avoids 0 times infinity
	}
	d := min(float64(p.Initial)*math.Pow(p.Multiplier, float64(attempt-1)), float64(p.Max))
	switch p.Jitter {
	case JitterFull:
		d *= draw(seed, attempt)
	case JitterEqual:
		d *= 0.5 + draw(seed, attempt)/2
	case JitterFraction:
		d *= 1 + p.Fraction*(2*draw(seed, attempt)-1)
	}
	if d >= math.MaxInt64 { // as a float it is one more than fits
		return math.MaxInt64
	}
	return max(time.Duration(d), 0)
}

// Next returns when the attempt after the given number of failed ones begins, zero for never. First
// is when the first of them began. After, unless it is 0, is the delay that the failure asks for.
// The seed is that of [RetryPolicy.Delay].
func (p RetryPolicy) Next(now, first time.Time, failed int, after time.Duration, seed string) time.Time {
	if p.MaxAttempts != Unlimited && failed >= p.MaxAttempts {
		return time.Time{}
	}
	if after <= 0 {
		after = p.Delay(failed, seed)
	}
	at := now.Add(after)
	for _, limit := range [...]Duration{p.MaxElapsed, p.TotalTimeout} {
		if limit > 0 && at.After(first.Add(time.Duration(limit))) {
			return time.Time{}
		}
	}
	return at
}

// Deadline returns when an attempt that begins now is given up, zero for never: after its timeout,
// and no later than TotalTimeout after the first attempt began.
func (p RetryPolicy) Deadline(now, first time.Time, timeout Duration) (due time.Time) {
	if timeout > 0 {
		due = now.Add(time.Duration(timeout))
	}
	if last := first.Add(time.Duration(p.TotalTimeout)); p.TotalTimeout > 0 && (due.IsZero() || last.Before(due)) {
		due = last
	}
	return due
}

// draw returns a number in [0, 1) that depends on its arguments alone.
func draw(seed string, attempt int) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(attempt))
	_, _ = h.Write(b[:])
	x := h.Sum64()
	// FNV alone spreads short inputs badly over the high bits, so finish as MurmurHash3 does.
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
