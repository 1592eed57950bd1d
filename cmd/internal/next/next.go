package next

import (
	"slices"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// For returns what somebody can do next about a run, the most likely first. Of a run that works, or
// is done, it is nothing. why may be nil.
func For(env *access.Env, why *explain.Reason) []console.Step {
	if why == nil {
		return nil
	}
	step := func(reason string, words ...string) console.Step {
		return console.Step{Command: env.CommandLine(words...), Why: reason}
	}
	run := env.Typed(why.Run)
	switch why.Standing {
	case explain.Stuck:
		return stuck(step, run, why)
	case explain.StuckBelow:
		blocker := why.Chain[len(why.Chain)-1].Run.String()
		return []console.Step{step("tells of the run below that is stuck", "why", blocker), step("gives it new attempts, once the cause is mended", "retry", blocker)}
	case explain.Paused:
		return []console.Step{step("lets it go on", "resume", run)}
	case explain.Held:
		return []console.Step{step("lets the action start again", "release", why.Waits[0].Action)}
	case explain.Blocked:
		others := step("lists what else waits so", "runs", "state:blocked")
		if why.Revision < 0 { // it can't be read
			return []console.Step{{Why: "start the version of the program that wrote it, or a newer one; a running program looks at it again every five minutes"}, others}
		}
		return []console.Step{{Why: "start a program that has the code of the saga and its actions: the run then goes on by itself"}, others}
	case explain.Ended:
		if why.State == domain.RunIsCompensated || why.State == domain.RunIsCancelled {
			return []console.Step{step("tells what happened", "audit", run), step("starts it again, once the cause is mended", "start-again", run)}
		}
	}
	if why.WaitsFor == explain.ForSignal {
		return []console.Step{step("sends the signal that it waits for; say the payload with -d", "signal", run, why.Waits[0].Name)}
	}
	return nil
}

func stuck(step func(string, ...string) console.Step, run string, why *explain.Reason) []console.Step {
	can := func(act explain.Act) bool {
		return slices.ContainsFunc(why.Levers, func(l explain.Lever) bool { return l.Act == act && l.Off == "" })
	}
	var out []console.Step
	if can(explain.ActRetry) {
		out = append(out, step("gives the stuck steps new attempts, once the cause is mended", "retry", run))
	}
	if can(explain.ActSkip) {
		out = append(out, step("goes on without the step", "resolve", run, why.Step, "--skip"))
	}
	return append(out, step("tells what happened", "audit", run))
}
