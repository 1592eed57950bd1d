package definition

import (
	"reflect"
	"time"

	"github.com/atonehq/atone/domain"
)

// StepOption configures one step.
type StepOption struct {
	// Name is for error messages, and for the check that an option is given only once.
	Name  string
	Apply func(*Conf) error
}

// Conf collects the options of a step. Options of the node itself are set in Node.
type Conf struct {
	Node *domain.Node
	// Name is the step's own name, or empty.
	Name string
	// Ruled is set where the author named the rule.
	Ruled bool
	// Retry and Timeout replace those of the action, where they are set.
	Retry   *domain.RetryPolicy
	Timeout time.Duration
	// DefaultType is the type of an await's default.
	DefaultType reflect.Type
	// Uses are the actions that a planner may plan.
	Uses []ActionUse
}

// configure applies the options to a node, and returns the errors.
func configure(node *domain.Node, opts []StepOption) (Conf, []string) {
	c := Conf{Node: node}
	var bad []string
	seen := map[string]bool{}
	for _, o := range opts {
		if o.Apply == nil {
			bad = append(bad, "an option is nil: drop it")
			continue
		}
		if seen[o.Name] {
			bad = append(bad, o.Name+" is given twice")
		}
		seen[o.Name] = true
		if err := o.Apply(&c); err != nil {
			bad = append(bad, err.Error())
		}
	}
	if c.Retry != nil && node.Action != nil {
		node.Action.Retry = *c.Retry
		if err := node.Action.Retry.Validate(); err != nil {
			bad = append(bad, "WithRetry: "+err.Error())
		}
	}
	if c.Timeout != 0 && node.Action != nil {
		node.Action.Timeout = domain.Duration(c.Timeout)
	}
	return c, bad
}
