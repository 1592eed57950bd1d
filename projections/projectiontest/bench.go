package projectiontest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/views"
)

// Fill has a runner write the rows of the runs view until they stand for all events of m. It
// returns how long that took. The runner goes on until stop is called.
func (m Many) Fill(b *testing.B, store projections.Store) (took time.Duration, stop func()) {
	b.Helper()
	r, err := runner.New(runner.Config{Source: m, Store: store, Views: []projections.View{runs.View()}, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	began := time.Now()
	require.NoError(b, r.AtLeast(ctx, "runs", m.Last(), 30*time.Minute))
	return time.Since(began), func() {
		b.Helper()
		cancel()
		require.NoError(b, <-done)
	}
}

// BenchPages measures each of the queries in each order, for its first page and for one deep
// inside. On a busy machine best-ms tells more than the mean.
func BenchPages(b *testing.B, reader views.Reader, m Many) {
	queries := ManyQueries(m)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		for _, order := range []struct {
			name      string
			sort      runs.Sort
			ascending bool
		}{{"newest", runs.ByStarted, false}, {"oldest", runs.ByStarted, true}, {"ended", runs.ByEnded, false}, {"wake", runs.ByWake, true}} {
			f := queries[name]
			f.Sort, f.Ascending = order.sort, order.ascending
			benchPage(b, reader, name+"/"+order.name+"/first", f)
			if f.Cursor = deep(b, reader, f); f.Cursor != "" {
				benchPage(b, reader, name+"/"+order.name+"/deep", f)
			}
		}
	}
}

// deep returns the cursor of a page that has up to 5,000 runs before it.
func deep(b *testing.B, reader views.Reader, f runs.Filter) string {
	at := ""
	f.Limit = 1000
	for range 5 {
		page, err := reader.Runs(b.Context(), f)
		require.NoError(b, err)
		if page.Next == "" {
			break
		}
		at, f.Cursor = page.Next, page.Next
	}
	return at
}

func benchPage(b *testing.B, reader views.Reader, name string, f runs.Filter) {
	b.Run(name, func(b *testing.B) {
		found, best, worst := 0, time.Hour, time.Duration(0)
		for b.Loop() {
			began := time.Now()
			page, err := reader.Runs(b.Context(), f)
			require.NoError(b, err)
			took := time.Since(began)
			found, best, worst = len(page.Rows), min(best, took), max(worst, took)
		}
		b.ReportMetric(float64(found), "runs")
		b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
		b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		b.ReportMetric(0, "ns/op")
	})
}

// orders are those in which pairs are asked for.
var orders = []struct {
	name      string
	sort      runs.Sort
	ascending bool
}{{"newest", runs.ByStarted, false}, {"oldest", runs.ByStarted, true}, {"ended", runs.ByEnded, false}, {"wake", runs.ByWake, true}}

// BenchPairs asks for the first page, and one deep inside, of each two conditions in each order,
// each a few times, of which the best counts: the machine may have other work. It logs the
// percentiles of these over all pages, and the slowest. One operation is all of it.
func BenchPairs(b *testing.B, reader views.Reader, m Many) {
	single := ManyConditions(m)
	names := slices.Sorted(maps.Keys(single))
	for b.Loop() {
		slow := map[string]time.Duration{}
		for _, o := range orders {
			var took, worked []time.Duration
			for i, one := range names {
				for _, other := range names[i:] {
					f := runs.Filter{Sort: o.sort, Ascending: o.ascending}
					single[one](&f)
					single[other](&f)
					name := one + " + " + other + ", " + o.name
					for _, at := range slices.Compact([]string{"", deep(b, reader, f)}) {
						f.Cursor = at
						best, work := timed(b, reader, f)
						took, worked = append(took, best), append(worked, work)
						slow[name] = max(slow[name], best)
					}
				}
			}
			b.Logf("%-7s %d pages, ms: %s; this process worked %s", o.name, len(took), percentiles(took), percentiles(worked))
		}
		slowest := slices.SortedFunc(maps.Keys(slow), func(x, y string) int { return cmp.Compare(slow[y], slow[x]) })
		for _, name := range slowest[:20] {
			b.Logf("%8.1f ms  %s", float64(slow[name].Microseconds())/1000, name)
		}
		over := slices.IndexFunc(slowest, func(n string) bool { return slow[n] < 20*time.Millisecond })
		b.Logf("%d of %d pairs and orders take 20 ms or more", max(over, 0), len(slowest))
	}
	b.ReportMetric(0, "ns/op")
}

func percentiles(of []time.Duration) string {
	slices.Sort(of)
	ms := func(at float64) float64 {
		return float64(of[min(len(of)-1, int(at*float64(len(of))))].Microseconds()) / 1000
	}
	return fmt.Sprintf("p50 %.1f, p95 %.1f, p99 %.1f, worst %.1f", ms(.5), ms(.95), ms(.99), ms(1))
}

// timed asks for one page five times, a slow one less often, and returns the shortest time, and the
// shortest time of this process's processors.
func timed(b *testing.B, reader views.Reader, f runs.Filter) (best, work time.Duration) {
	b.Helper()
	best, work = time.Hour, time.Hour
	all := time.Now()
	for i := 0; i < 5 && time.Since(all) < 200*time.Millisecond; i++ {
		began, busy := time.Now(), Processors(b)
		_, err := reader.Runs(b.Context(), f)
		require.NoError(b, err)
		best, work = min(best, time.Since(began)), min(work, Processors(b)-busy)
	}
	return best, work
}

// Processors is the processor time that this process has used: on a busy machine it tells more than
// the clock.
func Processors(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ManyConditions are conditions of which any two can be asked for together, rare and common ones,
// by name. Each adds itself to a filter.
func ManyConditions(m Many) map[string]func(*runs.Filter) {
	middle := m.From + m.Runs/2
	state := func(s domain.RunState) func(*runs.Filter) {
		return func(f *runs.Filter) { f.States = append(f.States, s) }
	}
	label := func(name, value string) func(*runs.Filter) {
		return func(f *runs.Filter) {
			if f.Labels == nil {
				f.Labels = map[string]string{}
			}
			f.Labels[name] = value
		}
	}
	match := func(on runs.Subject, value string, begins bool) func(*runs.Filter) {
		return func(f *runs.Filter) { f.Matches = append(f.Matches, runs.Match{On: on, Value: value, Begins: begins}) }
	}
	id := m.ID(middle + 50).String()
	text := func(s string) func(*runs.Filter) { return func(f *runs.Filter) { f.Text += " " + s } }
	return map[string]func(*runs.Filter){
		"completed 91%": state(domain.RunIsCompleted), "stuck 1%": state(domain.RunIsStuck), "running 3%": state(domain.RunRunning), "cancelled 0%": state(domain.RunIsCancelled),
		"saga 5%": func(f *runs.Filter) { f.Sagas = append(f.Sagas, "saga-7") }, "version 33%": func(f *runs.Filter) { f.Versions = append(f.Versions, 2) },
		"region 33%": label("region", "r1"), "tenant 0.1%": label("tenant", "t77"), "action 3%": func(f *runs.Filter) { f.Actions = append(f.Actions, "action-5") },
		"text 1%": text("card gone"), "text 5%": text("timeout"), "text 0.7%": text("bank 3"), "one letter": text("t"),
		"old half": func(f *runs.Filter) { f.To = m.Started(middle) }, "hour": func(f *runs.Filter) { f.From, f.To = m.Started(middle), m.Started(middle+3600) },
		"last day":  func(f *runs.Filter) { f.From = m.Started(m.From + m.Runs - 86400) },
		"keys 100%": match(runs.OnKey, "key-", true), "keys 11%": match(runs.OnKey, "key-5", true), "keys 0.1%": match(runs.OnKey, "key-512", true),
		"id's end": match(runs.OnID, id[len(id)-6:], false), "ids beginning": match(runs.OnID, "a1b2c3", true), "step 4%": match(runs.OnStep, "s1", false), "steps 7%": match(runs.OnStep, "s", true),
		"actor 100%": match(runs.OnActor, "coordinator", false), "waiting 3%": state(runs.StateWaiting), "any attempts": func(f *runs.Filter) { f.MinAttempts = 1 },
		"key": func(f *runs.Filter) { f.Key = fmt.Sprintf("key-%d", middle+7) }, "parent": func(f *runs.Filter) { f.Parent = m.ID(middle - middle%100) },
	}
}
