package explore

import (
	"fmt"
	"slices"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

// offer is an exploration that the program offers.
type offer struct {
	*explore.Exploration
	plan *domain.Plan
}

// String names the saga.
func (o *offer) String() string { return fmt.Sprintf("%s v%d", o.plan.Saga, o.plan.Version) }

// offers lists what the program offers. A saga is offered once: two results of one plan would hide
// each other.
func (c *command) offers() ([]*offer, error) {
	var list []*offer
	for _, x := range c.env.Program.Explorations {
		plan, err := x.Plan()
		if err != nil {
			return nil, fmt.Errorf("an exploration of %s: %w", c.env.Program.Name, err)
		}
		o := &offer{x, plan}
		if slices.ContainsFunc(list, func(other *offer) bool { return other.String() == o.String() }) {
			return nil, fmt.Errorf("%s offers two explorations of %s: offer one", c.env.Program.Name, o)
		}
		list = append(list, o)
	}
	return list, nil
}

// chosen returns the offers that the command line asks for.
func (c *command) chosen(args []string) ([]*offer, error) {
	list, err := c.offers()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		if len(list) == 0 {
			return nil, fmt.Errorf("%w: %s offers no exploration", ErrNothing, c.env.Program.Name)
		}
		return list, nil
	}
	list = slices.DeleteFunc(list, func(o *offer) bool { return o.plan.Saga != args[0] })
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %s offers no exploration of %s", ErrNothing, c.env.Program.Name, args[0])
	}
	return list, nil
}

// has reports whether the program has a saga.
func (c *command) has(name string) bool {
	return slices.ContainsFunc(c.env.Program.Sagas, func(s saga.AnySaga) bool {
		n, _ := s.SagaName()
		return n == name
	})
}
