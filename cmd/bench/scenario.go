package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// Options says what to measure.
type Options struct {
	// Scenario is s1 to s6, e1, e2, p1 or p2.
	Scenario string
	// Log is the log of s1 to s4: empty for the embedded one, a connection string (esdb://…) for
	// EventStoreDB, "esdb" for atone's own EventStoreDB server over the embedded log, in this
	// process.
	Log string
	// Projections measures s1 to s4 with and without views running beside them.
	Projections bool
	// Callers is how many callers start runs and wait for them, each one run at a time. Runs is the
	// total number of runs. 0 means the scenario's own number.
	Callers, Runs int
	// Data is the directory for logs and views; empty means a temporary one, removed at the end.
	Data string
	// Yes allows a log that holds runs; the scenario's own runs are added to it.
	Yes bool
}

var scenarios = map[string]scenario{
	"s1": {callers: 64, runs: 50_000, one: runSignup},
	"s2": {callers: 1, runs: 2_000, one: runSignup},
	"s3": {callers: 64, runs: 15_000, one: runFailing},
	"s4": {callers: 8, runs: 1_000, one: runFanOut, steps: parallelSteps},
}

// Run measures a scenario.
func Run(ctx context.Context, o Options) (Result, error) {
	sc, ok := scenarios[o.Scenario]
	if !ok && (o.Log != "" || o.Projections) {
		return Result{}, errors.New("--log and --projections are for s1, s2, s3 and s4: leave them out")
	}
	if err := checkLogs(ctx, o); err != nil {
		return Result{}, err
	}
	if client, is := clientScenarios[o.Scenario]; is {
		return runClient(ctx, o, client)
	}
	switch {
	case o.Scenario == "s6":
		return runStarts(ctx, o)
	case o.Scenario == "s5":
		return runRecovery(ctx, o)
	case o.Scenario == "p1":
		return runRebuild(ctx, o)
	case o.Scenario == "p2":
		return runServedRebuild(ctx, o)
	case !ok:
		return Result{}, fmt.Errorf("unknown scenario %q: use s1, s2, s3, s4, s5, s6, e1, e2, p1 or p2", o.Scenario)
	}
	sc.callers, sc.runs, sc.engine = orElse(o.Callers, sc.callers), orElse(o.Runs, sc.runs), engine(o.Log)
	if o.Projections {
		return runWithViews(ctx, o, sc)
	}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return Result{}, err
	}
	defer remove()
	res := Result{Scenario: o.Scenario, Callers: sc.callers, Runs: sc.runs, Log: sc.engine.name()}
	sample, err := measureRuns(ctx, filepath.Join(dir, "runs"), sc, &res)
	if err != nil {
		return res, err
	}
	return res, measureCeiling(ctx, filepath.Join(dir, "ceiling"), sc, sample, &res)
}
