package domain

// FailureEffect is what a failed attempt says of its effect. It travels with the outcome; what follows
// from it is recorded in the event, as [Failure.InDoubt] and [AttemptFailed.Probe].
type FailureEffect string

// What a failure may say. The zero value is read as EffectUnsaid: it comes from a worker which does not know of
// this.
const (
	EffectUnsaid  FailureEffect = "unknown"  // nothing is said: it may have happened
	EffectNotDone FailureEffect = "not_done" // nothing was done
	EffectInDoubt FailureEffect = "in_doubt" // it may have happened, and the action is asked before the retry
	EffectDone    FailureEffect = "done"     // it happened, but what it returned can't be recorded
)
