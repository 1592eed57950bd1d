package accept

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The range of times that a caller may give, in whole years: views compare and sort times as
// nanoseconds since 1970 in 64 bits.
var (
	firstTime = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	endOfTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Time refuses a time outside of the years 1678 to 2261, in any zone. It accepts the zero time,
// which means no time.
func Time(what string, t time.Time) error {
	if t.IsZero() || !t.Before(firstTime) && t.Before(endOfTime) {
		return nil
	}
	return fmt.Errorf("%s is outside of the years 1678 to 2261, which are all that can be compared: give another time, or none", what)
}

// EventTime refuses a time that an event can't hold, because RFC 3339 has no such year.
func EventTime(what string, t time.Time) error {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("%s is in the year %d, which no event can hold: use 0 to 9999", what, y)
	}
	return nil
}

// ParseTime reads a time in RFC 3339 and refuses what [Time] refuses. It also refuses the year 1,
// which has Go's zero time: as a condition that would mean no condition.
func ParseTime(what, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s %q is not a time: write RFC 3339, such as 2026-01-31T08:00:00Z", what, part(text))
	}
	if t.IsZero() {
		return time.Time{}, Time(what, t.Add(1))
	}
	return t, Time(what, t)
}

// MaxAge is the longest age. Subtracting it from a time in this century gives a time that [Time]
// accepts.
const MaxAge = 100 * 365 * 24 * time.Hour

// ParseAge reads a duration that is not negative and at most [MaxAge]; besides Go's units it knows
// d for days.
func ParseAge(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is not a duration: write 90m, 24h or 7d, of at most %d days", part(text), MaxAge/(24*time.Hour))
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseFloat(days, 64)
		if err != nil || math.IsNaN(n) || n < 0 || n > float64(MaxAge/(24*time.Hour)) {
			return 0, bad
		}
		return time.Duration(n * float64(24*time.Hour)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > MaxAge {
		return 0, bad
	}
	return d, nil
}

// Number refuses an infinite number, NaN, and a negative number.
func Number(what string, x float64) error {
	if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 {
		return fmt.Errorf("%s is %v: use a finite number of 0 or more", what, x)
	}
	return nil
}
