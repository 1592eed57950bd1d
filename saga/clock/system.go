package clock

import (
	"context"
	"time"
)

// System is the clocks of this machine: time.Now, and the monotonic clock behind it. Inside a
// testing/synctest bubble both are the bubble's.
type System struct{}

// began is the moment from which [System.Steady] counts.
var began = time.Now()

// Now implements [Clock].
func (System) Now() time.Time { return time.Now() }

// Steady implements [Clock]. In a bubble it may be negative.
func (System) Steady() time.Duration { return time.Since(began) }

// At implements [Clock]. f runs on a goroutine of its own.
func (s System) At(at time.Duration, f func()) Alarm {
	return systemAlarm{time.AfterFunc(at-s.Steady(), f)}
}

// WithDeadline implements [Clock].
func (s System) WithDeadline(parent context.Context, at time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(parent, at-s.Steady())
}

type systemAlarm struct{ timer *time.Timer }

func (a systemAlarm) Reset(at time.Duration) { a.timer.Reset(at - System{}.Steady()) }
func (a systemAlarm) Stop() bool             { return a.timer.Stop() }
