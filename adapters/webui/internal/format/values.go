package format

import (
	"fmt"
	"strconv"
	"time"

	"github.com/atonehq/atone/domain"
)

// Took writes a duration in at most two units.
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + "s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour:
		return two(int64(d/time.Minute), "m", int64(d%time.Minute/time.Second), "s")
	case d < 48*time.Hour:
		return two(int64(d/time.Hour), "h", int64(d%time.Hour/time.Minute), "m")
	}
	return two(int64(d/(24*time.Hour)), "d", int64(d%(24*time.Hour)/time.Hour), "h")
}

func two(a int64, unit string, b int64, small string) string {
	if b == 0 {
		return strconv.FormatInt(a, 10) + unit
	}
	return fmt.Sprintf("%d%s%02d%s", a, unit, b, small)
}

// Latency writes a duration, or a dash for 0, which means that there is none.
func Latency(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return Took(d)
}

// Clock writes a time for readers without scripts; scripts turn it into local time.
func Clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// Size writes a number of bytes.
func Size(b []byte) string {
	switch n := len(b); {
	case n < 1<<10:
		return strconv.Itoa(n) + " B"
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	default:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	}
}

// Number writes a number with thin spaces between thousands.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u2009" + s[i:]
	}
	return s
}

// Rate writes how often something happened in a time: by the second, minute, hour or day, whichever
// is the shortest in which it happens at least once.
func Rate(n int64, within time.Duration) string {
	for _, u := range []struct {
		per  time.Duration
		name string
	}{{time.Second, "s"}, {time.Minute, "min"}, {time.Hour, "h"}} {
		if rate := float64(n) * float64(u.per) / float64(within); rate >= 1 {
			return strconv.FormatFloat(rate, 'f', 1, 64) + "/" + u.name
		}
	}
	return strconv.FormatFloat(float64(n)*24*float64(time.Hour)/float64(within), 'f', 1, 64) + "/day"
}

// Plural writes a number with the noun that goes with it.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Number(int64(n)) + " " + many
}

// Policy writes a retry policy.
func Policy(p domain.RetryPolicy) string {
	if p.MaxAttempts == 1 {
		return "one attempt"
	}
	text := fmt.Sprintf("%d attempts", p.MaxAttempts)
	if p.MaxAttempts == domain.Unlimited {
		text = "no limit"
	}
	text += ", " + Round(time.Duration(p.Initial))
	if p.Max > p.Initial {
		text += " to " + Round(time.Duration(p.Max))
	}
	if p.MaxElapsed > 0 {
		text += ", within " + Round(time.Duration(p.MaxElapsed))
	}
	return text
}

// Round writes a round duration without needless digits.
func Round(d time.Duration) string {
	if d < time.Minute {
		return d.String()
	}
	return Took(d)
}

// Clip shortens a text to n characters.
func Clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
