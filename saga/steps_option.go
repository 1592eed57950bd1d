package saga

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
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

// StepOption configures one step. One that does not apply to the kind of step is a
// definition error.
type StepOption struct {
	name  string
	apply func(c *stepConf) error
}

func (StepOption) switchPart() {}

// stepConf is what the options of a step say.
type stepConf struct {
	node        *domain.Node
	name        string
	ruled       bool
	retry       *Retry
	timeout     *time.Duration
	defaultType reflect.Type
	uses        []AnyAction
}

// Name names the step, in place of its action's name or a counted one such as sleep-1. Names are
// unique in their scope: the saga, an Each's body.
func Name(name string) StepOption {
	return StepOption{"Name", func(c *stepConf) error {
		c.name = name
		if name == "" {
			return errors.New("Name is empty")
		}
		return nil
	}}
}

// OnFail sets what the step's failure leads to.
func OnFail(r Rule) StepOption {
	return StepOption{"OnFail", func(c *stepConf) error {
		switch r {
		case Backward, Forward, Ask, Ignore:
			c.node.Rule, c.ruled = r, true
			return nil
		}
		return fmt.Errorf("OnFail(%q): use Backward, Forward, Ask or Ignore", r)
	}}
}

// AcceptIrreversible accepts, and records why, that this step's effect is left behind when the
// run turns back. It overrides the check that nothing after an irreversible step may fail
// backward; the run still ends compensated, with the step listed as left. On a [Plan] it holds
// for every irreversible step that is planned.
func AcceptIrreversible(reason string) StepOption {
	return StepOption{"AcceptIrreversible", func(c *stepConf) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("AcceptIrreversible needs a reason: it is recorded, and shown to whoever asks why the effect was left")
		}
		c.node.Accepted = reason
		return nil
	}}
}

// AcceptDoubt accepts, and records why, that the run may end stuck at this irreversible step: when it fails, and nothing
// tells whether it took effect, it can neither go on nor be undone until a person has found out. Without it
// such a step is refused where its failure turns the run back; a Probe, an action that fails cleanly, or the
// rule Forward with a provider that honours the idempotency key, are better. It accepts nothing of
// [AcceptIrreversible]. It is no part of the plan's identity: it may be added to a saga that has runs, under the
// same version.
func AcceptDoubt(reason string) StepOption {
	return StepOption{"AcceptDoubt", func(c *stepConf) error {
		if strings.TrimSpace(reason) == "" {
			return errors.New("AcceptDoubt needs a reason: it is recorded, and shown to whoever has to find out")
		}
		c.node.Doubt = reason
		return nil
	}}
}

// WithRetry replaces the action's Retry for this step; a field left zero takes the library's
// default, and NonRetryable errors stay the action's own.
func WithRetry(r Retry) StepOption {
	return StepOption{"WithRetry", func(c *stepConf) error {
		c.retry = &r
		if len(r.NonRetryable) > 0 || r.IsNonRetryable != nil {
			return errors.New("WithRetry: NonRetryable and IsNonRetryable are code, which a plan can't hold: set them on the action")
		}
		return nil
	}}
}

// WithTimeout replaces the action's Timeout, which bounds one attempt, for this step.
func WithTimeout(d time.Duration) StepOption {
	return StepOption{"WithTimeout", func(c *stepConf) error {
		c.timeout = &d
		if d <= 0 {
			return fmt.Errorf("WithTimeout is %v: it must be positive", d)
		}
		return nil
	}}
}

// Concurrency bounds how many items of an Each (by default 16), or branches of a Parallel (by
// default all), are under way at once. [Unlimited] means all.
func Concurrency(n int) StepOption {
	return StepOption{"Concurrency", func(c *stepConf) error {
		switch {
		case n == Unlimited:
			c.node.Concurrency = 0
		case n < 1:
			return fmt.Errorf("Concurrency is %d: use 1 or more, or Unlimited", n)
		default:
			c.node.Concurrency = n
		}
		return nil
	}}
}

// Tolerate lets up to n items of an Each fail: each is undone by itself and the rest goes on.
func Tolerate(n int) StepOption {
	return StepOption{"Tolerate", func(c *stepConf) error {
		c.node.Tolerate = n
		if n < 0 {
			return fmt.Errorf("Tolerate is %d: it can't be negative", n)
		}
		return nil
	}}
}

// Within bounds how long an await waits. When nothing came by then, the step fails, unless
// [DefaultTo] gives a value.
func Within(d time.Duration) StepOption {
	return StepOption{"Within", func(c *stepConf) error {
		c.node.Await.Timeout = domain.Duration(d)
		if d <= 0 {
			return fmt.Errorf("Within is %v: it must be positive", d)
		}
		return nil
	}}
}

// DefaultTo is the value that an await takes when [Within] has passed. Its type is that of the
// await.
func DefaultTo[T any](v T) StepOption {
	return StepOption{"DefaultTo", func(c *stepConf) error {
		raw, err := encode(v)
		if err != nil {
			return fmt.Errorf("DefaultTo: %w", err)
		}
		c.node.Await.Default, c.defaultType = raw, reflect.TypeFor[T]()
		return nil
	}}
}

// MaxRounds bounds the rounds of a Plan, by default 100. A planner that is not done by then fails
// the step.
func MaxRounds(n int) StepOption {
	return StepOption{"MaxRounds", func(c *stepConf) error {
		c.node.MaxRounds = n
		if n < 1 {
			return fmt.Errorf("MaxRounds is %d: use 1 or more", n)
		}
		return nil
	}}
}

// Uses names actions that a Plan's planner may plan, so that they are registered with the saga.
func Uses(actions ...AnyAction) StepOption {
	return StepOption{"Uses", func(c *stepConf) error { c.uses = actions; return nil }}
}

// options that each kind of step takes.
var optionsFor = map[domain.Kind][]string{
	domain.KindDo:       {"Name", "OnFail", "AcceptIrreversible", "AcceptDoubt", "WithRetry", "WithTimeout"},
	domain.KindParallel: {"Name", "Concurrency"},
	domain.KindEach:     {"Name", "Concurrency", "Tolerate"},
	domain.KindSwitch:   {"Name"},
	domain.KindSleep:    {"Name", "OnFail"},
	domain.KindAwait:    {"Name", "OnFail", "Within", "DefaultTo"},
	domain.KindChild:    {"Name", "OnFail"},
	domain.KindPivot:    {"Name"},
	domain.KindPlan:     {"Name", "OnFail", "AcceptIrreversible", "AcceptDoubt", "WithRetry", "WithTimeout", "MaxRounds", "Uses"},
	domain.KindCompute:  {"Name", "OnFail"},
}

// why an option that one might expect does not apply.
var whyNot = map[domain.Kind]string{
	domain.KindEach:     ": say it on the steps inside",
	domain.KindParallel: ": say it on the steps inside",
	domain.KindSwitch:   ": say it on the steps inside",
}

// configure applies the options to a node, and returns what went wrong.
func configure(node *domain.Node, opts []StepOption) (stepConf, []string) {
	c := stepConf{node: node}
	var bad []string
	seen := map[string]bool{}
	for _, o := range opts {
		switch {
		case o.apply == nil:
			bad = append(bad, "an empty StepOption: drop it")
			continue
		case !slices.Contains(optionsFor[node.Kind], o.name):
			why := ""
			if o.name == "OnFail" {
				why = whyNot[node.Kind]
			}
			bad = append(bad, fmt.Sprintf("%s does not apply to a step of kind %s%s", o.name, node.Kind, why))
			continue
		case seen[o.name]:
			bad = append(bad, fmt.Sprintf("%s is given twice", o.name))
		}
		seen[o.name] = true
		if err := o.apply(&c); err != nil {
			bad = append(bad, err.Error())
		}
	}
	if c.retry != nil && node.Action != nil {
		node.Action.Retry = c.retry.policy(defaultRetry)
		if err := node.Action.Retry.Validate(); err != nil {
			bad = append(bad, "WithRetry: "+err.Error())
		}
	}
	if c.timeout != nil && node.Action != nil {
		node.Action.Timeout = domain.Duration(*c.timeout)
	}
	return c, bad
}
