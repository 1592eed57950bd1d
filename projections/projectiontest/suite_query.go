package projectiontest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/saga/explain"
)

// limit draws the size of pages: one row at least, and so many that there are a few dozen pages at
// most.
func limit(t *rapid.T, rows int) int { return rapid.IntRange(1+rows/40, 60+rows/40).Draw(t, "limit") }

func hasWords(text, wanted string) bool {
	have := strings.Fields(projections.Words(text))
	for _, w := range strings.Fields(projections.Words(wanted)) {
		if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
			return false
		}
	}
	return true
}

func either[T comparable](wanted []T, v T) bool {
	return len(wanted) == 0 || slices.Contains(wanted, v)
}

// meant says in plain Go what the filter means.
func meant(f runs.Filter, r *runs.Row) bool {
	for name, value := range f.Labels {
		if r.Labels[name] != value {
			return false
		}
	}
	cause := ""
	if r.Cause != nil {
		cause = r.Cause.Message
	}
	for i := range f.Matches {
		if !matches(&f.Matches[i], r) {
			return false
		}
	}
	return (len(f.States) == 0 || slices.ContainsFunc(r.States(), func(s domain.RunState) bool { return slices.Contains(f.States, s) })) && either(f.Sagas, r.Saga) && either(f.Versions, r.Version) &&
		(f.From.IsZero() || !r.Started.Before(f.From)) && (f.To.IsZero() || r.Started.Before(f.To)) &&
		(f.EndedFrom.IsZero() || !r.Ended.IsZero() && !r.Ended.Before(f.EndedFrom)) && (f.EndedTo.IsZero() || !r.Ended.IsZero() && r.Ended.Before(f.EndedTo)) &&
		(len(f.Actions) == 0 || slices.ContainsFunc(f.Actions, func(a string) bool { return slices.Contains(r.Actions, a) })) && (f.Key == "" || r.Key == f.Key) &&
		r.Attempts >= f.MinAttempts && (f.MaxAttempts == nil || r.Attempts <= *f.MaxAttempts) &&
		(f.Parent == domain.RunID{} || r.Parent != nil && r.Parent.Run == f.Parent) &&
		hasWords(r.Error+" "+cause+" "+r.Blocked, f.Text) &&
		(f.Sort != runs.ByEnded || !r.Ended.IsZero()) && (f.Sort != runs.ByWake || !r.Wake.IsZero())
}

// matches says in plain Go what the match means.
func matches(m *runs.Match, r *runs.Row) bool {
	is := func(text string) bool {
		if m.Begins {
			return strings.HasPrefix(text, m.Value)
		}
		return text == m.Value
	}
	switch m.On {
	case runs.OnKey:
		return r.Key != "" && is(r.Key)
	case runs.OnActor:
		return is(r.Actor)
	case runs.OnLabel:
		value, has := r.Labels[m.Name]
		return has && is(value)
	case runs.OnField:
		return slices.ContainsFunc(r.Fields[m.Name], func(v string) bool { return is(strings.ToLower(v)) })
	case runs.OnStep:
		return slices.ContainsFunc(r.Steps, func(s runs.Step) bool { return is(s.Step) }) || r.Cause != nil && r.Cause.Step != "" && is(r.Cause.Step)
	case runs.OnID:
		digits := strings.ReplaceAll(r.ID.String(), "-", "")
		return m.Begins && strings.HasPrefix(digits, m.Value) || !m.Begins && strings.HasSuffix(digits, m.Value)
	}
	return false
}

// drawMatch makes a match that some of the runs may fit.
func drawMatch(rt *rapid.T, r *runs.Row) runs.Match {
	m := runs.Match{Begins: rapid.Bool().Draw(rt, "begins")}
	digits := strings.ReplaceAll(r.ID.String(), "-", "")
	switch rapid.IntRange(0, 6).Draw(rt, "match") {
	case 0:
		m.On, m.Value = runs.OnKey, rapid.SampledFrom([]string{"key-1", "k", "key-17", "customer-order-2026-11-28", "", "x", "key-1x"}).Draw(rt, "key")
	case 1:
		m.On, m.Value = runs.OnActor, rapid.SampledFrom([]string{"coordinator", "coord", "kim", ""}).Draw(rt, "actor")
	case 2:
		m.On, m.Name, m.Value = runs.OnLabel, rapid.SampledFrom([]string{"tenant", "tier", "none"}).Draw(rt, "label"), rapid.SampledFrom([]string{"t1", "t", "gold", ""}).Draw(rt, "value")
	case 3:
		m.On, m.Name, m.Value = runs.OnField, rapid.SampledFrom([]string{"city", "card"}).Draw(rt, "field"), rapid.SampledFrom([]string{"zürich", "san", "oslo", "4111", ""}).Draw(rt, "value")
	case 4:
		m.On, m.Value = runs.OnStep, rapid.SampledFrom([]string{"s1/reserve", "s0", "s2/", "nope", ""}).Draw(rt, "step")
	case 5:
		m.On, m.Begins, m.Value = runs.OnID, false, digits[32-rapid.IntRange(6, 16).Draw(rt, "digits"):]
	default:
		m.On, m.Begins, m.Value = runs.OnID, true, digits[:rapid.IntRange(6, 16).Draw(rt, "digits")]
	}
	return m
}

func filtersAgree(t *testing.T, open Opener) {
	reader, r, log, made, last := projected(t, open, 21, 1500)
	for made.Stuck() == 0 {
		a, err := made.Write(t.Context(), log, 1)
		require.NoError(t, err)
		last = a.Position
	}
	r.reach(t, last, builtin...)
	all := runPages(t, t.Context(), reader, runs.Filter{}, 1000)
	require.Greater(t, len(all), 100)
	for _, r := range all {
		one, err := reader.Run(t.Context(), r.ID, projections.Fresh{})
		require.NoError(t, err)
		require.Equal(t, r, *one)
	}
	_, err := reader.Run(t.Context(), domain.NewRunID(), projections.Fresh{})
	require.ErrorIs(t, err, projections.ErrNotFound)
	states := runs.AllStates
	for _, s := range []domain.RunState{domain.RunIsStuck, domain.RunIsCompleted, domain.RunIsCompensated, runs.StateWorking, runs.StateRetrying, runs.StateStuckBelow} {
		require.NotEmpty(t, runPages(t, t.Context(), reader, runs.Filter{States: []domain.RunState{s}}, 100), s)
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := runs.Filter{
			Sort:      rapid.SampledFrom([]runs.Sort{"", runs.ByStarted, runs.ByEnded, runs.ByWake}).Draw(rt, "sort"),
			Ascending: rapid.Bool().Draw(rt, "ascending"),
		}
		maybe := func(name string) bool { return rapid.IntRange(0, 3).Draw(rt, name) == 0 }
		if maybe("states") {
			f.States = rapid.SliceOfNDistinct(rapid.SampledFrom(states), 1, 3, rapid.ID).Draw(rt, "which states")
		}
		if maybe("sagas") {
			f.Sagas = rapid.SliceOfNDistinct(rapid.SampledFrom(sagas), 1, 2, rapid.ID).Draw(rt, "which sagas")
		}
		if maybe("versions") {
			f.Versions = []int{rapid.IntRange(1, 3).Draw(rt, "version")}
		}
		if maybe("labels") {
			f.Labels = map[string]string{"tenant": rapid.SampledFrom([]string{"t0", "t1", "t9"}).Draw(rt, "tenant")}
			if maybe("tier") {
				f.Labels["tier"] = "gold"
			}
		}
		if maybe("action") {
			f.Actions = []string{rapid.SampledFrom(actions).Draw(rt, "which action")}
		}
		if maybe("key") {
			f.Key = fmt.Sprintf("key-%d", rapid.IntRange(0, 21).Draw(rt, "which key"))
		}
		if maybe("text") {
			f.Text = rapid.SampledFrom([]string{"card", "timeout bank", "überl", "kaputt zürich", "nowhere", "stock"}).Draw(rt, "words")
		}
		some := func(name string) *runs.Row { return &all[rapid.IntRange(0, len(all)-1).Draw(rt, name)] }
		if maybe("match") {
			f.Matches = append(f.Matches, drawMatch(rt, some("matched")))
		}
		if maybe("attempts") {
			f.MinAttempts = rapid.IntRange(0, 4).Draw(rt, "at least")
			if maybe("at most") {
				most := rapid.IntRange(0, 5).Draw(rt, "most")
				f.MaxAttempts = &most
			}
		}
		if maybe("from") {
			f.From = some("earliest").Started
		}
		if maybe("to") {
			f.To = some("latest").Started
		}
		if maybe("ended from") {
			f.EndedFrom = some("first end").Ended
		}
		if maybe("ended to") {
			f.EndedTo = some("last end").Ended
		}
		if r := some("child"); r.Parent != nil && maybe("parent") {
			f.Parent = r.Parent.Run
		}
		counts := map[domain.RunState]int{}
		for _, r := range all {
			inAny := f
			inAny.States, inAny.Sort = nil, ""
			for _, s := range r.States() {
				if counts[s] += 0; meant(inAny, &r) {
					counts[s]++
				}
			}
		}
		counted, err := reader.RunCounts(t.Context(), f)
		require.NoError(rt, err)
		require.Equal(rt, counts, counted, "%+v", f)
		var want []runs.Row
		for _, r := range all {
			if meant(f, &r) {
				want = append(want, r)
			}
		}
		slices.SortFunc(want, func(a, b runs.Row) int {
			var c int
			switch f.Sort {
			case runs.ByEnded:
				c = a.Ended.Compare(b.Ended)
			case runs.ByWake:
				c = a.Wake.Compare(b.Wake)
			default:
				if f.Text == "" {
					c = a.Started.Compare(b.Started)
				}
			}
			if c == 0 {
				c = cmp.Compare(a.No, b.No)
			}
			if !f.Ascending {
				c = -c
			}
			return c
		})
		got := runPages(rt, t.Context(), reader, f, limit(rt, len(want)))
		require.Equal(rt, want, got, "%+v", f)
	})
	for of, want := range map[runs.Of][]string{runs.Sagas: {"order", "refund", "signup"}, runs.Labels: {"tenant", "tier"}, runs.Fields: {"city"},
		runs.Actors: {"coordinator"}, runs.Actions: {"charge-card", "label", "notify", "reserve"}} {
		names, err := reader.RunNames(t.Context(), of, "")
		require.NoError(t, err)
		require.Equal(t, want, names, of)
	}
	names, err := reader.RunNames(t.Context(), runs.Labels, "ti")
	require.NoError(t, err)
	require.Equal(t, []string{"tier"}, names)
	_, err = reader.Runs(t.Context(), runs.Filter{Sort: "colour"})
	require.Error(t, err)
	_, err = reader.Runs(t.Context(), runs.Filter{Cursor: "nonsense"})
	require.ErrorIs(t, err, projections.ErrBadCursor)
	p, err := reader.Runs(t.Context(), runs.Filter{Limit: 1})
	require.NoError(t, err)
	_, err = reader.Runs(t.Context(), runs.Filter{Ascending: true, Cursor: p.Next})
	require.ErrorIs(t, err, projections.ErrBadCursor)
}

// labelsAreNotMistaken has runs whose labels read the same once name and value stand together.
func labelsAreNotMistaken(t *testing.T, open Opener) {
	log, store := memlog.New(), first(open(t))
	var last domain.Appended
	for name, value := range map[string]string{"a=b": "c", "a": "b=c"} {
		id := domain.RunIDForKey("order", name)
		started, _ := domain.Seal(domain.RunStream(id), 0, domain.ChainHash{}, &domain.RunStarted{Saga: "order", Version: 1, Labels: map[string]string{name: value}},
			domain.Meta{At: time.Unix(1, 0), Wake: domain.Wake{State: domain.RunRunning}})
		var err error
		last, err = log.Append(t.Context(), domain.RunStream(id), domain.NoStream, started)
		require.NoError(t, err)
	}
	r := start(t, runner.Config{Source: log, Store: store, Views: []projections.View{runs.View()}})
	r.reach(t, last.Position, "runs")
	for _, sagas := range [][]string{nil, {"order"}, {"order", "other"}} {
		found := runPages(t, t.Context(), r.ask(), runs.Filter{Labels: map[string]string{"a": "b=c"}, Sagas: sagas}, 10)
		require.Len(t, found, 1)
		require.Equal(t, domain.RunIDForKey("order", "a"), found[0].ID)
	}
}

func stablePages(t *testing.T, open Opener) {
	reader, r, log, made, _ := projected(t, open, 23, 400)
	ctx := t.Context()
	before := runPages(t, ctx, reader, runs.Filter{}, 1000)
	var ids []domain.RunID
	cursor := ""
	for {
		page, err := reader.Runs(ctx, runs.Filter{Limit: 5, Cursor: cursor})
		require.NoError(t, err)
		for _, run := range page.Rows {
			ids = append(ids, run.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
		last, err := made.Write(ctx, log, 15)
		require.NoError(t, err)
		r.reach(t, last.Position, "runs")
		if len(ids) == 25 {
			require.NoError(t, r.Rebuild(ctx, "runs"), "a cursor survives a rebuild")
		}
	}
	want := make([]domain.RunID, len(before))
	for i, run := range before {
		want[i] = run.ID
	}
	require.Equal(t, want, ids, "neither missed nor seen twice")
}

func searchable(t *testing.T, open Opener) {
	reader, _, _, _, _ := projected(t, open, 24, 300)
	find := func(text string) int {
		p, err := reader.Audit(t.Context(), audit.Filter{Text: text, Limit: 1000})
		require.NoError(t, err)
		return len(p.Rows)
	}
	require.Positive(t, find("san jos"), "a searchable field")
	require.Positive(t, find("überlauf"), "an error")
	require.Zero(t, find("4111"), "a secret field")
	require.Zero(t, find("ok"), "a field that is neither")
}

func auditFiltersAgree(t *testing.T, open Opener) {
	reader, r, log, made, last := projected(t, open, 22, 2500)
	ctx := t.Context()
	for made.Stuck() == 0 {
		a, err := made.Write(ctx, log, 1)
		require.NoError(t, err)
		last = a.Position
	}
	r.reach(t, last, builtin...)
	read := func(t require.TestingT, f audit.Filter, limit int) []audit.Row {
		return pages(t, limit, func(cursor string, limit int) ([]audit.Row, string, error) {
			f.Cursor, f.Limit = cursor, limit
			p, err := reader.Audit(ctx, f)
			return p.Rows, p.Next, err
		})
	}
	all := read(t, audit.Filter{Ascending: true}, 1000)
	require.Greater(t, len(all), made.Events*9/10, "all but heartbeats")
	rapid.Check(t, func(rt *rapid.T) {
		some := all[rapid.IntRange(0, len(all)-1).Draw(rt, "row")]
		f := audit.Filter{Ascending: true, HasError: rapid.Bool().Draw(rt, "failed")}
		if rapid.Bool().Draw(rt, "run") {
			f.Run = some.Run
		}
		if rapid.Bool().Draw(rt, "saga") {
			f.Sagas = []string{some.Saga, "other"}
		}
		if rapid.Bool().Draw(rt, "what") {
			f.Whats = []string{some.What}
		}
		if some.Action != "" && rapid.Bool().Draw(rt, "action") {
			f.Actions = []string{some.Action}
		}
		if rapid.Bool().Draw(rt, "from") {
			f.From = some.At
		}
		if rapid.Bool().Draw(rt, "to") {
			f.To = some.At.Add(time.Minute)
		}
		if rapid.Bool().Draw(rt, "text") {
			f.Text = "card"
			f.HasError = true // what else matches is in payloads
		}
		var want []audit.Row
		for _, r := range all {
			if (f.Run == domain.RunID{} || r.Run == f.Run) && either(f.Sagas, r.Saga) && either(f.Whats, r.What) && either(f.Actions, r.Action) &&
				(f.From.IsZero() || !r.At.Before(f.From)) && (f.To.IsZero() || r.At.Before(f.To)) && (!f.HasError || r.Error != "") && hasWords(r.Error, f.Text) {
				want = append(want, r)
			}
		}
		require.Equal(rt, want, read(rt, f, limit(rt, len(want))), "%+v", f)
	})

	find := func(f incidents.Filter) []incidents.Row {
		return pages(t, 7, func(cursor string, limit int) ([]incidents.Row, string, error) {
			f.Cursor, f.Limit = cursor, limit
			p, err := reader.Incidents(ctx, f)
			return p.Rows, p.Next, err
		})
	}
	every, open1, resolved := find(incidents.Filter{}), find(incidents.Filter{Open: true}), find(incidents.Filter{Resolved: true})
	require.NotEmpty(t, open1)
	require.NotEmpty(t, resolved)
	require.Len(t, every, len(open1)+len(resolved)+len(find(incidents.Filter{Retrying: true})))
	hows := map[string]bool{}
	for _, i := range resolved {
		require.False(t, i.Resolved.IsZero())
		require.NotEmpty(t, i.How)
		hows[i.How] = true
	}
	require.Equal(t, map[string]bool{incidents.Retried: true, incidents.Abandoned: true, incidents.TurnedBack: true, "skip": true}, hows)
	stuck := runPages(t, ctx, reader, runs.Filter{States: []domain.RunState{domain.RunIsStuck}}, 100)
	require.Len(t, open1, len(stuck), "each stuck run has its incident")
	for _, r := range stuck {
		require.Contains(t, r.Waiting(time.Now(), explain.ClockIn(time.Now(), time.UTC)), "retry, skip or resolve")
	}
	require.NotEmpty(t, find(incidents.Filter{Text: "card", Sagas: sagas, Run: every[0].Run, From: every[0].Opened.Add(-time.Hour), To: every[0].Opened.Add(time.Hour), Actions: actions, Ascending: true, Open: every[0].Resolved.IsZero(), Resolved: !every[0].Resolved.IsZero()}), "%+v", every[0])
}
