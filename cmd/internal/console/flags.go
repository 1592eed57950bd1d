package console

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/search"
)

// Time is a point in time on the command line.
type Time struct{ time.Time }

// String implements [pflag.Value].
func (t *Time) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// Set implements [pflag.Value].
func (t *Time) Set(s string) error {
	if ago, err := accept.ParseAge(s); err == nil {
		t.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			if at.IsZero() {
				at = at.Add(1) // the zero time would mean that no time was given
			}
			t.Time = at
			return accept.Time("it", at)
		}
	}
	return fmt.Errorf("%q is not a time: write how long ago (90m, 24h, 7d), a date (2026-01-31), or RFC 3339 (2026-01-31T08:00:00Z)", s)
}

// Type implements [pflag.Value].
func (*Time) Type() string { return "time" }

// Duration is a duration that may be given in days.
type Duration time.Duration

// String implements [pflag.Value].
func (a *Duration) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

// Set implements [pflag.Value].
func (a *Duration) Set(s string) error {
	d, err := accept.ParseAge(s)
	*a = Duration(d)
	return err
}

// Type implements [pflag.Value].
func (*Duration) Type() string { return "duration" }

// Period has the flags that bound a time.
type Period struct{ Since, Until Time }

func (p *Period) AddFlags(f *pflag.FlagSet, of string) {
	f.Var(&p.Since, "since", of+" at that time or later: 90m or 7d ago, 2026-01-31, or RFC 3339")
	f.Var(&p.Until, "until", of+" before that time")
}

// ParseStates reads states of runs, which must be among those that are allowed.
func ParseStates(names []string, allowed []domain.RunState) ([]domain.RunState, error) {
	if err := search.CheckStates(names, allowed); err != nil {
		return nil, UsageError{Err: fmt.Errorf("--state: %w", err)}
	}
	var out []domain.RunState
	for _, n := range names {
		out = append(out, domain.RunState(n))
	}
	return out, nil
}

// ParseLabels reads labels given as NAME=VALUE.
func ParseLabels(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	labels := make(map[string]string, len(list))
	for _, l := range list {
		if err := accept.Label(labels, l); err != nil {
			return nil, UsageError{Err: err}
		}
	}
	return labels, nil
}
