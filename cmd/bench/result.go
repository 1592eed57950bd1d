package bench

import (
	"slices"
	"syscall"
	"time"
)

// Result is what a scenario measured.
type Result struct {
	Scenario string `json:"scenario"`
	Callers  int    `json:"callers"`
	// Runs counts all runs or, for e1 and e2, all events.
	Runs int `json:"runs"`
	// Log describes the log that kept the runs.
	Log string `json:"log,omitempty"`
	// Seconds is the wall time of the measured part.
	Seconds       float64 `json:"seconds"`
	RunsPerSecond float64 `json:"runs_per_second,omitempty"`
	// P50, P95 and P99 are latencies of a run, from the call of Start until its end is known.
	P50 float64 `json:"p50_ms,omitempty"`
	P95 float64 `json:"p95_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// CPU is the user and system time of the whole process, including the callers.
	CPU     float64 `json:"cpu_seconds_per_1000_runs"`
	PeakRSS float64 `json:"peak_rss_mb"`
	Disk    float64 `json:"disk_bytes_per_run,omitempty"`
	Ceiling float64 `json:"log_ceiling_runs_per_second,omitempty"`
	Ratio   float64 `json:"ratio_to_ceiling,omitempty"`
	Appends float64 `json:"appends_per_run,omitempty"`
	Events  float64 `json:"events_per_run,omitempty"`
	// StepsPerSecond is set for runs of many steps.
	StepsPerSecond float64 `json:"steps_per_second,omitempty"`
	// FourAppends is the median of four sequential durable appends, for the scenario of one caller.
	FourAppends float64 `json:"four_appends_p50_ms,omitempty"`
	// RecoverySeconds is the time from the beginning of the restart to the last run's end.
	RecoverySeconds float64 `json:"recovery_seconds,omitempty"`
	// ReadySeconds is the time until the restarted coordinator is ready.
	ReadySeconds float64 `json:"ready_seconds,omitempty"`

	// Starts are those of s6, by log.
	Starts map[string]Starts `json:"starts,omitempty"`

	// EventsPerSecond is how fast events were appended (e1), read (e2) or projected (p1, p2).
	EventsPerSecond float64 `json:"events_per_second,omitempty"`
	// ClientCeiling is the throughput of the same client against a server that does nothing. Ratio
	// compares with it.
	ClientCeiling float64 `json:"client_ceiling_per_second,omitempty"`
	// ViewEvents is EventsPerSecond of each view alone (p1), or of other ways to build all of them
	// (p2).
	ViewEvents map[string]float64 `json:"view_events_per_second,omitempty"`
	// WithoutViews is the throughput without views. ViewsRatio is the throughput with views,
	// divided by WithoutViews.
	WithoutViews float64 `json:"runs_per_second_without_projections,omitempty"`
	ViewsRatio   float64 `json:"ratio_with_projections,omitempty"`
	// ViewsBehindSeconds is the time from the end of the last run until the views showed all runs.
	ViewsBehindSeconds float64 `json:"projections_behind_seconds,omitempty"`
}

// cpuTime returns the process's user and system time.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS returns the most memory that the process held, in MiB.
func peakRSS() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Maxrss) / 1024 // Linux counts in KiB
}

// median returns the middle value; it sorts them.
func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// percentile returns the p-th percentile of latencies in milliseconds; it sorts them.
func percentile(l []time.Duration, p float64) float64 {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	i := min(int(p/100*float64(len(l))), len(l)-1)
	return float64(l[i]) / float64(time.Millisecond)
}
