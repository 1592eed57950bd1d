package bench

import (
	"context"
	"path/filepath"

	"github.com/atonehq/atone/domain"
)

// runWithViews measures a scenario with and without views beside it, in turns.
func runWithViews(ctx context.Context, o Options, sc scenario) (Result, error) {
	res := Result{Scenario: o.Scenario, Callers: sc.callers, Runs: sc.runs, Log: engine(o.Log).name()}
	dir, remove, err := dataDir(o.Data)
	if err != nil {
		return res, err
	}
	defer remove()
	const turns = 3
	sc.runs = max(sc.runs/turns, 1)
	sc.engine = engine(o.Log)
	var with, without, ratios, catchUps []float64
	var sample [][]domain.NewEvent
	for i := range turns {
		turn := Result{}
		sc.views = false
		if _, err := measureRuns(ctx, filepath.Join(dir, "without-"+itoa(i)), sc, &turn); err != nil {
			return res, err
		}
		without = append(without, turn.RunsPerSecond)
		sc.views = true
		if sample, err = measureRuns(ctx, filepath.Join(dir, "with-"+itoa(i)), sc, &res); err != nil {
			return res, err
		}
		with = append(with, res.RunsPerSecond)
		ratios = append(ratios, with[i]/without[i])
		catchUps = append(catchUps, res.ViewsBehindSeconds)
	}
	res.RunsPerSecond, res.WithoutViews = median(with), median(without)
	res.ViewsRatio, res.ViewsBehindSeconds = median(ratios), median(catchUps)
	return res, measureCeiling(ctx, filepath.Join(dir, "ceiling"), sc, sample, &res)
}
