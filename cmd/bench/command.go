package bench

import (
	"encoding/json"
	"fmt"
	"io"
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
  s5  runs that wait for a signal, kill -9, restart, time until all are completed

Each is set against the log alone, with the same appends, at the same concurrency, in the same process.`,
		Example: "  atone bench --scenario s1 --callers 64\n  atone bench --scenario s5 --runs 2000 --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SilenceUsage = true
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
	cmd.Flags().StringVar(&o.Scenario, "scenario", "s1", "what to measure: s1, s2, s3, s4 or s5")
	cmd.Flags().IntVar(&o.Callers, "callers", 0, "callers that each do one run after the other (default: the scenario's)")
	cmd.Flags().IntVar(&o.Runs, "runs", 0, "runs in all (default: the scenario's)")
	cmd.Flags().StringVar(&o.Data, "data", "", "directory for the log (default: a temporary one)")
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
	row(true, "scenario", "%s, %d callers, %d runs in %.1f s", r.Scenario, r.Callers, r.Runs, r.Seconds)
	row(true, "throughput", "%.0f runs/s", r.RunsPerSecond)
	row(r.StepsPerSecond > 0, "", "%.0f steps/s", r.StepsPerSecond)
	row(true, "latency", "p50 %.2f ms, p95 %.2f ms, p99 %.2f ms", r.P50, r.P95, r.P99)
	row(r.FourAppends > 0, "four appends alone", "p50 %.2f ms", r.FourAppends)
	row(r.RecoverySeconds > 0, "after the kill", "%.2f s until it took orders, %.2f s until all had ended", r.ReadySeconds, r.RecoverySeconds)
	row(r.Ceiling > 0, "the log alone", "%.0f runs/s; the ratio is %.2f", r.Ceiling, r.Ratio)
	row(true, "cost", "%.2f CPU seconds and %.0f KiB of disk for 1,000 runs, %.0f MiB of memory at the most", r.CPU, r.Disk*1000/1024, r.PeakRSS)
	row(r.Appends > 0, "written", "%.1f appends and %.1f events for a run", r.Appends, r.Events)
	return w.Flush()
}
