package domain

import "strings"

// FailureKind says how something failed.
type FailureKind string

// The kinds of failure.
const (
	FailureRetryable FailureKind = "retryable" // an error that may go away
	FailurePermanent FailureKind = "permanent" // an error that will not
	FailureTimedOut  FailureKind = "timed_out" // no outcome in time: the effect is in doubt
	FailureLost      FailureKind = "lost"      // the worker died: the effect is in doubt
	FailureCancelled FailureKind = "cancelled" // a person, or a parent, asked to turn back
	FailureDeadline  FailureKind = "deadline"  // the run's deadline passed
	FailureParent    FailureKind = "parent"    // the parent run turned back
)

// FailureRejected is the Type of the failure of a step that rejects.
const FailureRejected = "rejected"

// Failure says what failed and why.
type Failure struct {
	Kind    FailureKind `json:"kind"`
	Message string      `json:"message"`
	// Step is where it happened; empty for the run as a whole.
	Step string `json:"step,omitempty"`
	// Type is the Go type of the error.
	Type string `json:"type,omitempty"`
	// Stack is the goroutine's stack when the failure was a panic.
	Stack string `json:"stack,omitempty"`
	// InDoubt means that the effect may have happened.
	InDoubt bool `json:"in_doubt,omitempty"`
	// RetryAfter is the delay that the author asked for, if any.
	RetryAfter Duration `json:"retry_after,omitzero"`
}

// String returns the step, if any, and the message.
func (f *Failure) String() string {
	if f.Step != "" {
		return f.Step + ": " + f.Message
	}
	return f.Message
}

// FailureEffect is what a failed attempt says of its effect. It travels with the outcome; the event
// records the conclusions, [Failure.InDoubt] and [AttemptFailed.Probe].
type FailureEffect string

// What a failure may say of its effect. The zero value, which older workers send, is read as
// EffectUnsaid.
const (
	EffectUnsaid  FailureEffect = "unknown"  // nothing is said: the effect may have happened
	EffectNotDone FailureEffect = "not_done" // nothing was done
	// EffectInDoubt: the effect may have happened; the action is probed before the retry.
	EffectInDoubt FailureEffect = "in_doubt"
	EffectDone    FailureEffect = "done" // it happened, but its output can't be recorded
)

// MaxMessage bounds the text of an error, or of a person's reason, in an event, in bytes.
const MaxMessage = 16 << 10

// ShortMessage cuts a message to what an event holds.
func ShortMessage(message string) string { return CutText(message, MaxMessage) }

// CutText cuts a text to at most n bytes and a mark, and makes it valid UTF-8, so that the log
// returns it unchanged.
func CutText(s string, n int) string {
	if len(s) <= n {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
