package webui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections"
)

// search is what somebody typed into the search field of the runs list: words of an error, and
// conditions such as saga:order or label:tenant=acme. Values with spaces are put in quotes.
type search struct {
	filter projections.RunFilter
	// run is set where the text is the id of a run.
	run domain.RunID
	// bad lists conditions that could not be understood.
	bad []string
}

// parseSearch reads the text; relative times count back from now.
func parseSearch(text string, now time.Time) search {
	var s search
	if id, err := uuid.Parse(strings.TrimSpace(text)); err == nil {
		s.run = id
		return s
	}
	var words []string
	for _, t := range fields(text) {
		name, value, ok := strings.Cut(t, ":")
		if !ok || value == "" || !s.condition(name, value, now) {
			words = append(words, t)
		}
	}
	s.filter.Text = strings.Join(words, " ")
	return s
}

func (s *search) condition(name, value string, now time.Time) bool {
	f := &s.filter
	bad := func() { s.bad = append(s.bad, name+":"+value) }
	switch name {
	case "saga":
		f.Sagas = append(f.Sagas, value)
	case "action":
		f.Action = value
	case "key":
		f.Key = value
	case "label":
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		if accept.Label(f.Labels, value) != nil {
			bad()
		}
	case "version":
		n, err := strconv.Atoi(strings.TrimPrefix(value, "v"))
		if err != nil || n < 1 {
			bad()
			break
		}
		f.Versions = append(f.Versions, n)
	case "parent":
		id, err := uuid.Parse(value)
		if err != nil {
			bad()
			break
		}
		f.Parent = id
	case "since", "until":
		t, err := parseTime(value, now)
		switch {
		case err != nil:
			bad()
		case name == "since":
			f.From = t
		default:
			f.To = t
		}
	default:
		return false
	}
	return true
}

// parseTime reads a day, a time, or how long ago something was (90m, 3h, 2d).
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := accept.ParseAge(text); err == nil {
		if whole := ago % (24 * time.Hour); whole == 0 && strings.HasSuffix(text, "d") {
			return now.AddDate(0, 0, -int(ago/(24*time.Hour))), nil // by the calendar, over changes of the clock
		}
		return now.Add(-ago), nil
	}
	var t time.Time
	var err error
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", time.RFC3339} {
		if t, err = time.ParseInLocation(layout, text, now.Location()); err == nil {
			if t.IsZero() {
				t = t.Add(1) // it would be taken for no time
			}
			return t, accept.Time("it", t)
		}
	}
	return t, err
}

// fields splits text at spaces that are not within quotes, and takes the quotes away.
func fields(text string) []string {
	var out []string
	var b strings.Builder
	quoted, some := false, false
	for _, r := range text {
		switch {
		case r == '"':
			quoted, some = !quoted, true
		case r == ' ' && !quoted:
			if some {
				out = append(out, b.String())
				b.Reset()
				some = false
			}
		default:
			b.WriteRune(r)
			some = true
		}
	}
	if some {
		out = append(out, b.String())
	}
	return out
}

// stateGroups are the choices of the runs list; a group that isn't a state's name stands for several.
var stateGroups = []string{"", "unfinished", "running", "compensating", "stuck", "completed", "compensated", "cancelled", "abandoned"}

func statesOf(group string) []domain.RunState {
	switch {
	case group == "unfinished":
		return []domain.RunState{domain.RunRunning, domain.RunCompensating, domain.RunIsStuck}
	case group == "" || !slices.Contains(stateGroups, group):
		return nil
	}
	return []domain.RunState{domain.RunState(group)}
}

// narrow keeps a person bound to some sagas from seeing others. It reports whether anything is left to be seen.
func (p Person) narrow(sagas *[]string) bool {
	if len(p.Sagas) == 0 {
		return true
	}
	if len(*sagas) == 0 {
		*sagas = p.Sagas
		return true
	}
	*sagas = slices.DeleteFunc(slices.Clone(*sagas), func(s string) bool { return !p.sees(s) })
	return len(*sagas) > 0
}

// position reads the log position that the page must have caught up with, after a form changed something.
func position(q url.Values) projections.Fresh {
	n, err := strconv.ParseUint(q.Get("seen"), 10, 64)
	if err != nil {
		return projections.Fresh{}
	}
	return projections.Fresh{AtLeast: domain.Position(n), Wait: time.Second}
}
