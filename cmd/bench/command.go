package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// Command returns the command "bench". A main that offers it calls [MaybeChild] first.
func Command() *cobra.Command {
	var o Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure whole runs on this machine",
		Long: `Measure whole runs on this machine: through the coordinator, the Watermill router and the handlers,
on the embedded log with every append synced to disk.

Scenarios:
  s1  the sign-up of three steps, throughput (64 callers)
  s2  the same with one caller, latency
  s3  the third step fails for good after three attempts, then two undos
  s4  a hundred parallel steps in one run (8 callers)
  s5  runs wait for a signal; kill -9, restart, and the time until all are completed
  s6  first and second start on a log of 1,000,000 events that others wrote, embedded and over atone's server
  e1  single-event appends of 16 callers through EventStoreDB's Go client to atone's server
  e2  1,000,000 events read by a catch-up subscription of that client
  p1  the views are built in SQLite from the log of 30,000 runs
  p2  the same from atone's own EventStoreDB server, for 15,000 runs: a first build, and a rebuild while the views answer

s1 to s5 are compared with the log alone: the same appends, at the same concurrency, in the same process. e1 and e2 are
compared with the same client against a server that does nothing. With --projections, s1 to s4 run in turns with and
without views beside them. With --log they run on EventStoreDB: the runs stay there; the appends of the log alone go to
streams named atone-bench-…, which are soft-deleted at the end. A log that holds runs needs --yes.`,
		Example: `  atone bench --scenario s1 --callers 64
  atone bench --scenario s5 --runs 2000 --json
  atone bench --scenario s1 --projections
  atone bench --scenario s1 --log 'esdb://localhost:2113?tls=false'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
			if o.Runs < 0 || o.Callers < 0 {
				return errors.New("--runs and --callers are 1 or more; without them the scenario's defaults apply")
			}
			r, err := Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(r)
			}
			return r.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.Scenario, "scenario", "s1", "what to measure: s1 to s6, e1, e2, p1 or p2")
	cmd.Flags().IntVar(&o.Callers, "callers", 0, "concurrent callers, each of which does one run or append at a time (default: the scenario's)")
	cmd.Flags().IntVar(&o.Runs, "runs", 0, "total runs, or events (default: the scenario's)")
	cmd.Flags().StringVar(&o.Log, "log", "", "log of s1 to s4: esdb://… for EventStoreDB, esdb for atone's own server in this process (default: the embedded log)")
	cmd.Flags().BoolVar(&o.Projections, "projections", false, "measure s1 to s4 with and without views beside them")
	cmd.Flags().StringVar(&o.Data, "data", "", "directory for the log (default: a temporary one)")
	cmd.Flags().BoolVar(&o.Yes, "yes", false, "measure on a log that holds runs; the scenario's runs are added to it for good")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// print writes the result as a table for people.
func (r Result) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(show bool, what, format string, args ...any) {
		if show {
			fmt.Fprintf(w, "%s\t"+format+"\n", append([]any{what}, args...)...)
		}
	}
	row(true, "scenario", "%s, %d callers, %d in %.1f s", r.Scenario, r.Callers, r.Runs, r.Seconds)
	row(r.Log != "", "log", "%s", r.Log)
	row(r.RunsPerSecond > 0, "throughput", "%.0f runs/s", r.RunsPerSecond)
	row(r.StepsPerSecond > 0, "", "%.0f steps/s", r.StepsPerSecond)
	row(r.EventsPerSecond > 0, "throughput", "%.0f events/s", r.EventsPerSecond)
	for _, view := range slices.Sorted(maps.Keys(r.ViewEvents)) {
		row(true, "", "%.0f events/s for the view %s alone", r.ViewEvents[view], view)
	}
	for _, log := range slices.Sorted(maps.Keys(r.Starts)) {
		s := r.Starts[log]
		row(true, "start, "+log, "%.2f s (%d events of runs read), the next one %.2f s (%d)", s.FirstSeconds, s.FirstRead, s.SecondSeconds, s.SecondRead)
	}
	row(r.WithoutViews > 0, "without views", "%.0f runs/s; the ratio is %.2f", r.WithoutViews, r.ViewsRatio)
	row(r.WithoutViews > 0, "views showed all", "%.2f s after the last run", r.ViewsBehindSeconds)
	row(r.P50 > 0, "latency", "p50 %.2f ms, p95 %.2f ms, p99 %.2f ms", r.P50, r.P95, r.P99)
	row(r.FourAppends > 0, "four appends alone", "p50 %.2f ms", r.FourAppends)
	row(r.RecoverySeconds > 0, "after the kill", "%.2f s until it was ready, %.2f s until all had ended", r.ReadySeconds, r.RecoverySeconds)
	row(r.Ceiling > 0, "the log alone", "%.0f runs/s; the ratio is %.2f", r.Ceiling, r.Ratio)
	row(r.ClientCeiling > 0, "the client alone", "%.0f events/s; the ratio is %.2f", r.ClientCeiling, r.Ratio)
	row(true, "cost", "%.2f CPU seconds and %.0f KiB of disk for 1,000, %.0f MiB of memory at the most", r.CPU, r.Disk*1000/1024, r.PeakRSS)
	row(r.Appends > 0, "written", "%.1f appends and %.1f events for a run", r.Appends, r.Events)
	return w.Flush()
}
