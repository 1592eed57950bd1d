package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// CheckSignal refuses, with [domain.ErrBadInput], a signal that no await takes which the run awaits
// or may still come to: it would be kept for nothing. It takes a repeat of a signal that the run
// has, which changes nothing.
func CheckSignal(s *machine.State, in machine.Signal) error {
	name := in.Name
	// up: the levers list the same
	if err := s.Plan.CheckSignal(name); err != nil || slices.Contains(awaited(s), name) {
		return err
	}
	if events, err := machine.Decide(s, in, s.StartedAt); len(events) == 0 && err == nil {
		return nil
	}
	names := toCome(s)
	if slices.Contains(names, name) {
		return nil
	}
	there := "no step that it may still come to awaits a signal"
	if len(names) > 0 {
		there = fmt.Sprintf("it may still await %.500s", strings.Join(names, ", "))
	}
	return fmt.Errorf("%w: the run is past the steps of %s that await the signal %.100q: %s; keep it if a later plan may", domain.ErrBadInput, s.Plan.Saga, name, there)
}

// toCome lists the names of the signals whose awaits are open or may still be, in the order of the
// plan.
func toCome(s *machine.State) (names []string) {
	if s.Turning || s.End != "" {
		return nil
	}
	found := map[string]bool{}
	for _, c := range s.Plan.Root.Children {
		reach(c, s.Step(c.Name), found)
	}
	for _, name := range s.Plan.Signals() {
		if found[name] {
			names = append(names, name)
		}
	}
	return names
}

// reach adds the signals that a node may still await; st is nil where it has not been entered.
func reach(n *domain.Node, st *machine.Step, found map[string]bool) {
	switch {
	case st == nil:
		n.Walk(func(in *domain.Node) {
			if in.Await != nil {
				found[in.Await.Signal] = true
			}
		})
	case !st.Turning && (st.Phase == machine.ProbeBackoff || st.Phase < machine.Done):
		if n.Await != nil {
			found[n.Await.Signal] = true
		}
		kids := st.Kids()
		for _, k := range kids {
			if k != nil {
				reach(k.Node, k, found)
			}
		}
		switch {
		case len(kids) == 0, n.Kind == domain.KindEach && slices.Contains(kids, nil):
			for _, c := range n.Children {
				reach(c, nil, found)
			}
		case n.Kind == domain.KindSequence:
			for _, c := range n.Children[len(kids):] {
				reach(c, nil, found)
			}
		case n.Kind == domain.KindParallel:
			for i, c := range n.Children {
				if i < len(kids) && kids[i] == nil {
					reach(c, nil, found)
				}
			}
		}
	}
}
