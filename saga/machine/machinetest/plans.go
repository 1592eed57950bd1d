package machinetest

import (
	"time"

	"github.com/atonehq/atone/domain"
)

// Seq is a sequence without a name.
func Seq(children ...*domain.Node) *domain.Node {
	return &domain.Node{Kind: domain.KindSequence, Children: children}
}

// Retries is a policy of that many attempts: the next one after one second, after two, after four.
func Retries(attempts int) domain.RetryPolicy {
	return domain.RetryPolicy{MaxAttempts: attempts, Initial: domain.Duration(time.Second), Multiplier: 2, Max: domain.Duration(time.Minute), Jitter: domain.JitterNone}
}

// Do is a step with an action of the same name, whose effect can be undone: three attempts of ten
// seconds in each direction.
func Do(name string) *domain.Node {
	return &domain.Node{Kind: domain.KindDo, Name: name, Action: &domain.ActionSpec{Name: name, Effect: domain.EffectUndo, Retry: Retries(3), UndoRetry: Retries(3),
		Timeout: domain.Duration(10 * time.Second), UndoTimeout: domain.Duration(10 * time.Second)}}
}

// Ruled is [Do] with a rule for its failure for good.
func Ruled(name string, r domain.Rule) *domain.Node {
	n := Do(name)
	n.Rule = r
	return n
}
