package machinetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
	"github.com/atonehq/atone/saga/machine/judge"
)

// Disagreement returns in what the machine and the judge differ about a run of which both have read
// the same events, a line each; "" if they agree.
func Disagreement(s *machine.State, r *judge.Run) string {
	machines, judges := machineSays(s), judgeSays(r, s)
	var out strings.Builder
	for _, line := range machines {
		if !slices.Contains(judges, line) {
			fmt.Fprintf(&out, "machine: %s\n", line)
		}
	}
	for _, line := range judges {
		if !slices.Contains(machines, line) {
			fmt.Fprintf(&out, "judge:   %s\n", line)
		}
	}
	return out.String()
}

const ofRun = "the run is %s, paused %v, past its pivot %v, turned back %v"

// machineSays writes what a judge can say, too, of a run as the machine has it.
func machineSays(s *machine.State) []string {
	lines := []string{fmt.Sprintf(ofRun, s.Status(), s.Paused, s.PastPivot, s.Turning)}
	for _, k := range s.Signals() {
		lines = append(lines, fmt.Sprintf("signal %s %s %s is kept", k.Name, k.ID, k.Value))
	}
	s.InFlight(func(a machine.Attempt) { lines = append(lines, flies(a.Step.Path, a.Direction, a.Number)) })
	s.Steps(func(st *machine.Step) {
		lines = append(lines, fmt.Sprintf("%s has had %d attempts, %d undos, %d probes", st.Path, st.Do.N, st.Undo.N, st.Probe.N))
		switch {
		case st.Turning:
		case st.Phase == machine.Done && hasOutput(st.Node.Kind):
			lines = append(lines, fmt.Sprintf("%s is done with %s", st.Path, st.Output))
		case st.Phase == machine.Skipped, st.Phase == machine.Ignored:
			lines = append(lines, fmt.Sprintf("%s is %s", st.Path, st.Phase))
		}
		switch {
		case st.Phase == machine.Waiting, st.Phase == machine.Undoing && st.Node.Kind == domain.KindChild:
			lines = append(lines, st.Path+" waits")
		case st.Phase == machine.Stuck, st.Phase == machine.UndoStuck:
			lines = append(lines, st.Path+" is stuck: "+st.Incident)
		}
	})
	return lines
}

// judgeSays writes the same of a run as the judge has it. Which steps of the plan a run has entered
// is the machine's own affair: the judge knows those that an event has named.
func judgeSays(r *judge.Run, s *machine.State) []string {
	lines := []string{fmt.Sprintf(ofRun, r.State(), r.Paused, r.PastPivot, r.TurnedBack)}
	for _, k := range r.Signals {
		lines = append(lines, fmt.Sprintf("signal %s %s %s is kept", k.Signal, k.ID, k.Value))
	}
	for _, st := range r.Steps() {
		for dir, n := range st.Flying {
			lines = append(lines, flies(st.Path, dir, n))
		}
	}
	s.Steps(func(entered *machine.Step) {
		st := r.Step(entered.Path)
		if st == nil {
			lines = append(lines, entered.Path+" has had 0 attempts, 0 undos, 0 probes")
			return
		}
		lines = append(lines, fmt.Sprintf("%s has had %d attempts, %d undos, %d probes", st.Path, st.Started[domain.Do]+st.Started[domain.Handler], st.Started[domain.Undo], st.Started[domain.Probe]))
		switch {
		case entered.Turning:
		case st.Forward == "done" && hasOutput(entered.Node.Kind):
			lines = append(lines, fmt.Sprintf("%s is done with %s", st.Path, st.Output))
		case st.Forward != "" && st.Forward != "done":
			lines = append(lines, fmt.Sprintf("%s is %s", st.Path, st.Forward))
		}
		if st.Waits != "" {
			lines = append(lines, st.Path+" waits")
		}
		if st.Incident != "" {
			lines = append(lines, st.Path+" is stuck: "+st.Incident)
		}
	})
	return lines
}

func flies(path string, dir domain.Direction, attempt int) string {
	return fmt.Sprintf("%s has attempt %d (%s) in flight", path, attempt, dir)
}

// hasOutput reports whether events say when a step of that kind is done, and with what.
func hasOutput(k domain.Kind) bool {
	return k != domain.KindEach && k != domain.KindSwitch && k != domain.KindParallel
}
