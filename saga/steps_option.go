package saga

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Rule is what a step's failure leads to, once its retries are used up; see [OnFail].
type Rule = domain.Rule

// The failure rules.
const (
	// Backward undoes the run. It is the default, except after an explicit [Pivot].
	Backward = domain.RuleBackward
	// Forward says that the step must succeed: the run is stuck until it does. It is the
	// default after an explicit [Pivot].
	Forward = domain.RuleForward
	// Ask makes the run stuck until a person retries, skips or substitutes.
	Ask = domain.RuleAsk
	// Ignore lets the run go on without the step.
	Ignore = domain.RuleIgnore
)

// The types of step options. Each kind of step takes the type that is named after it, so the
// compiler refuses an option that does not apply. The type that an option's function returns says
// which kinds of step take it.
type (
	// StepOption is an option of [Compute], [Sleep] and [SleepUntil]: [Name], [OnFail].
	StepOption interface{ forStep() stepOption }
	// ChildOption is an option of [Child]: [Name], [OnFail], [WithoutLabels].
	ChildOption interface{ forChild() stepOption }
	// DoOption is an option of [Do]: [Name], [OnFail], [WithRetry], [WithTimeout],
	// [AcceptIrreversible], [AcceptDoubt].
	DoOption interface{ forDo() stepOption }
	// PlanOption is an option of [Plan]: those of [Do], [MaxRounds], [Uses].
	PlanOption interface{ forPlan() stepOption }
	// AwaitOption is an option of [Await] and [AwaitEvent]: [Name], [OnFail], [Within],
	// [DefaultTo].
	AwaitOption interface{ forAwait() stepOption }
	// EachOption is an option of [Each]: [Name], [Concurrency], [Tolerate].
	EachOption interface{ forEach() stepOption }
	// ParallelOption is an option of [ParallelWith]: [Name], [Concurrency].
	ParallelOption interface{ forParallel() stepOption }
)

// What the functions below return.
type (
	// NameOption is an option of every kind of step, and all that [If], [Switch], [Pivot] and
	// [Reject] take.
	NameOption interface {
		RuleOption
		WidthOption
		SwitchPart
		forName() stepOption
	}
	// RuleOption is an option of the steps that have a failure rule.
	RuleOption interface {
		StepOption
		ChildOption
		ActionOption
		AwaitOption
	}
	// ActionOption is an option of the steps that run an action: [Do] and [Plan].
	ActionOption interface {
		DoOption
		PlanOption
	}
	// WidthOption is an option of the steps that do several things at once: [Each] and
	// [ParallelWith].
	WidthOption interface {
		EachOption
		ParallelOption
	}
)

// stepOption implements all types of options.
type stepOption struct{ set definition.StepOption }

func (o stepOption) forName() stepOption     { return o }
func (o stepOption) forStep() stepOption     { return o }
func (o stepOption) forChild() stepOption    { return o }
func (o stepOption) forDo() stepOption       { return o }
func (o stepOption) forPlan() stepOption     { return o }
func (o stepOption) forAwait() stepOption    { return o }
func (o stepOption) forEach() stepOption     { return o }
func (o stepOption) forParallel() stepOption { return o }
func (stepOption) forSwitch()                {}

func option(name string, apply func(*definition.Conf) error) stepOption {
	return stepOption{definition.StepOption{Name: name, Apply: apply}}
}

// settings unwraps options. A nil option stays empty and is refused later.
func settings[O comparable](opts []O, unwrap func(O) stepOption) []definition.StepOption {
	var none O
	out := make([]definition.StepOption, len(opts))
	for i, o := range opts {
		if o != none {
			out[i] = unwrap(o).set
		}
	}
	return out
}

// Name names the step, in place of its action's name or a counted one such as sleep-1. Names are
// unique in their scope: the saga, an Each's body.
func Name(name string) NameOption {
	return option("Name", func(c *definition.Conf) error {
		c.Name = name
		if name == "" {
			return errors.New("Name is empty")
		}
		return nil
	})
}

// OnFail sets what the step's failure leads to.
func OnFail(r Rule) RuleOption {
	return option("OnFail", func(c *definition.Conf) error {
		switch r {
		case Backward, Forward, Ask, Ignore:
			c.Node.Rule, c.Ruled = r, true
			return nil
		}
		return fmt.Errorf("OnFail(%q): use Backward, Forward, Ask or Ignore", r)
	})
}

// AcceptIrreversible accepts that this step's effect is left behind when the run turns back, and
// records the reason. It overrides the check that nothing after an irreversible step may fail
// backward. The run still ends compensated, and lists the step as left. On a [Plan] it holds for
// every planned irreversible step.
func AcceptIrreversible(reason string) ActionOption {
	return option("AcceptIrreversible", func(c *definition.Conf) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("AcceptIrreversible needs a reason: it is recorded, for people who ask why the effect was left")
		}
		c.Node.Accepted = reason
		return nil
	})
}

// AcceptDoubt accepts that the run may end stuck at this irreversible step, and records the reason:
// if the step fails in doubt, the run can neither go on nor be undone until a person has found out
// what happened. Without AcceptDoubt, [Define] refuses such a step if its failure turns the run
// back. Better alternatives are a Probe, an action that fails cleanly, or the rule Forward with a
// provider that honours the idempotency key. AcceptDoubt does not imply [AcceptIrreversible]. It is
// not part of the plan's identity: add it to a saga that has runs, under the same version.
func AcceptDoubt(reason string) ActionOption {
	return option("AcceptDoubt", func(c *definition.Conf) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("AcceptDoubt needs a reason: it is recorded, for the person who has to find out what happened")
		}
		c.Node.Doubt = reason
		return nil
	})
}

// WithoutLabels starts a child without this run's labels. By default the child has them.
func WithoutLabels() ChildOption {
	return option("WithoutLabels", func(c *definition.Conf) error {
		c.Node.Unlabelled = true
		return nil
	})
}

// WithRetry replaces the action's Retry for this step. A zero field means the library's default.
// NonRetryable errors stay those of the action.
func WithRetry(r Retry) ActionOption {
	return option("WithRetry", func(c *definition.Conf) error {
		policy := r.policy(defaultRetry)
		c.Retry = &policy
		if len(r.NonRetryable) > 0 || r.IsNonRetryable != nil {
			return errors.New("WithRetry: NonRetryable and IsNonRetryable are code, which a plan can't hold: set them on the action")
		}
		return nil
	})
}

// WithTimeout replaces the action's Timeout, which bounds one attempt, for this step.
func WithTimeout(d time.Duration) ActionOption {
	return option("WithTimeout", func(c *definition.Conf) error {
		c.Timeout = d
		if d <= 0 {
			return fmt.Errorf("WithTimeout is %v: it must be positive", d)
		}
		return nil
	})
}

// Concurrency bounds how many items of an Each (by default 16), or branches of a Parallel (by
// default all), are under way at once. [Unlimited] means all.
func Concurrency(n int) WidthOption {
	return option("Concurrency", func(c *definition.Conf) error {
		switch {
		case n == Unlimited:
			c.Node.Concurrency = 0
		case n < 1:
			return fmt.Errorf("Concurrency is %d: use 1 or more, or Unlimited", n)
		default:
			c.Node.Concurrency = n
		}
		return nil
	})
}

// Tolerate lets up to n items of an Each fail: each is undone by itself and the rest goes on.
func Tolerate(n int) EachOption {
	return option("Tolerate", func(c *definition.Conf) error {
		c.Node.Tolerate = n
		if n < 0 {
			return fmt.Errorf("Tolerate is %d: it can't be negative", n)
		}
		return nil
	})
}

// Within bounds how long an await waits. If nothing has come by then, the step fails, unless
// [DefaultTo] gives a value.
func Within(d time.Duration) AwaitOption {
	return option("Within", func(c *definition.Conf) error {
		c.Node.Await.Timeout = domain.Duration(d)
		if d <= 0 {
			return fmt.Errorf("Within is %v: it must be positive", d)
		}
		return nil
	})
}

// DefaultTo sets the value of an await whose [Within] has passed. T must be the await's type.
func DefaultTo[T any](v T) AwaitOption {
	return option("DefaultTo", func(c *definition.Conf) error {
		raw, err := payload.Encode(v)
		if err != nil {
			return fmt.Errorf("DefaultTo: %w", err)
		}
		c.Node.Await.Default, c.DefaultType = raw, reflect.TypeFor[T]()
		return nil
	})
}

// MaxRounds bounds the rounds of a Plan, by default 100. If the planner is not done by then, the
// step fails.
func MaxRounds(n int) PlanOption {
	return option("MaxRounds", func(c *definition.Conf) error {
		c.Node.MaxRounds = n
		if n < 1 {
			return fmt.Errorf("MaxRounds is %d: use 1 or more", n)
		}
		return nil
	})
}

// Uses registers actions with the saga that a Plan's planner may plan.
func Uses(actions ...AnyAction) PlanOption {
	return option("Uses", func(c *definition.Conf) error {
		for _, a := range actions {
			if a == nil {
				return errors.New("Uses names a nil action")
			}
			c.Uses = append(c.Uses, used(a))
		}
		return nil
	})
}

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

// Retry says when a failed attempt is tried again. The zero value is the default: 5 attempts to do,
// 10 to undo, with exponential backoff from 200 ms to 30 s and equal jitter. Each zero field has
// its own default.
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
	// IsNonRetryable, if set, does the same with a function; use it for errors.As.
	IsNonRetryable func(error) bool
}

var (
	defaultRetry     = Retry{MaxAttempts: 5, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 30 * time.Second, Jitter: JitterEqual, Fraction: 0.2}
	defaultUndoRetry = Retry{MaxAttempts: 10, Initial: 200 * time.Millisecond, Multiplier: 2, Max: 30 * time.Second, Jitter: JitterEqual, Fraction: 0.2}
)

// policy fills in the defaults.
func (r Retry) policy(d Retry) domain.RetryPolicy {
	p := domain.RetryPolicy{MaxAttempts: cmp.Or(r.MaxAttempts, d.MaxAttempts), Initial: domain.Duration(cmp.Or(r.Initial, d.Initial)),
		Multiplier: cmp.Or(r.Multiplier, d.Multiplier), Jitter: cmp.Or(r.Jitter, d.Jitter),
		MaxElapsed: domain.Duration(r.MaxElapsed), TotalTimeout: domain.Duration(r.TotalTimeout)}
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

// used returns the action as a definition uses it.
func used(a AnyAction) definition.ActionUse {
	code, err := a.compile()
	return definition.ActionUse{Identity: a, Action: code, Err: err}
}
