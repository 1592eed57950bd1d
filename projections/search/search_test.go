package search

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// names are those of a small world.
func names(of runs.Of, prefix string) (out []string) {
	if of == runs.Ends {
		out = []string{} // it is known that there is none
		for _, run := range []string{"0198c0de-0000-7000-8000-00000abc0001 refund 1", "0198c0de-0000-7000-8000-00000abc0002 refund 2", "0198c0de-0000-7000-8000-11110abc0002 checkout 3"} {
			if id, _, _ := strings.Cut(run, " "); strings.HasSuffix(id, prefix) {
				out = append(out, run)
			}
		}
		return out
	}
	all := map[runs.Of][]string{runs.Sagas: {"checkout", "check-in", "refund"}, runs.Actions: {"charge-card", "reserve"},
		runs.Labels: {"region", "tenant"}, runs.Fields: {"email"}, runs.Actors: {"ada", "kim"}, runs.LabelValues: {"acme", "acorn"}}[of]
	if of == runs.LabelValues {
		_, prefix, _ = strings.Cut(prefix, "=")
	}
	for _, n := range all {
		if strings.HasPrefix(n, prefix) {
			out = append(out, n)
		}
	}
	return out
}

func TestASearchSaysWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sate:stuck":                    `"sate:stuck" is not understood: there is no condition sate: did you mean state?`,
		"state:stukc":                   "no state is called stukc: did you mean stuck?",
		"state:":                        "it has no value: write state:stuck",
		"state:stuck*":                  "state takes no *",
		"saga:chekout":                  "no saga is called chekout: did you mean checkout?",
		"saga:zzzzzzzz":                 "no saga is called zzzzzzzz: there are checkout, check-in, refund",
		"saga:x*":                       "no saga begins with x",
		"action:charge":                 "no action is called charge",
		"label:tennant=acme":            "no run has a label tennant: did you mean tenant?",
		"label:tenant":                  "write label:NAME=VALUE",
		"label:=a":                      "write label:NAME=VALUE",
		".emial:ada":                    "no run has a search field emial: did you mean email?",
		".email:":                       "write .FIELD:VALUE",
		"email:ada":                     "the search field email is written with a dot: .email:ada",
		"checkout:4711":                 "checkout is a saga: write saga:checkout key:4711",
		"12:30":                         `to search for it as words, write "12:30"`,
		"note:x":                        `to search for it as words, write "note:x"`,
		"https://x.example/a":           `to search for it as words, write "https://x.example/a"`,
		"since:NaNd":                    "is not a time",
		"since:-5d":                     "is not a time",
		"since:99999999999d":            "is not a time",
		"until:9999-12-31":              "outside of the years",
		"until:1500-01-01":              "outside of the years",
		"age:2h":                        "write age:>2h or age:<2h",
		"age:>x":                        "is not a duration",
		"version:0":                     "versions are numbers from 1 up",
		"version:-3":                    "versions are numbers from 1 up",
		"parent:x":                      `"x": not the name of a run: give its id, the last 6 or more digits of it, or SAGA:KEY`,
		"parent:abcdef":                 "no run's id ends with abcdef",
		"parent:abc0002":                "abc0002: more than one run's id ends so: 0198c0de-0000-7000-8000-00000abc0002 (refund 2), 0198c0de-0000-7000-8000-11110abc0002 (checkout 3)",
		"id:12":                         "give its first or last 6 to 16 digits",
		"id:xyzxyzxyz":                  "is no part of a run's id",
		"attempts:many":                 "write attempts:>5",
		"attempts:<0":                   "fewer than 0",
		"key:a key:b":                   "key is given twice",
		"label:region=a label:region=b": "label region is given twice",
		"\xff":                          "not valid UTF-8",
		`text:"card`:                    "a quote is not closed",
		`"`:                             "a quote is not closed",
		"!!!":                           "words have letters or digits",
		`text:" "`:                      "words have letters or digits",
		strings.Repeat("x ", 1100):      "it is too long",
		strings.Repeat("x ", 60):        "too many conditions",
		":":                             "words have letters or digits",
	} {
		_, err := Runs(text, now, names)
		require.ErrorContains(t, err, want, "%.40q", text)
		var p Error
		require.ErrorAs(t, err, &p)
	}
	_, err := Runs("sate:stuck saga:chekout ok", now, names)
	var all Error
	require.ErrorAs(t, err, &all)
	require.Len(t, all, 2, "all that is wrong is told at once")
	_, err = Runs("saga:anything action:any label:a=b .f:x", now, nil)
	require.NoError(t, err, "where names are not known, all are taken")
	_, err = Runs("parent:abc0001", now, nil)
	require.ErrorContains(t, err, "runs can't be looked up here: give the whole id")
}

func TestASearchTakesConditionsApart(t *testing.T) {
	t.Parallel()
	is := func(text string, want runs.Filter) {
		t.Helper()
		got, err := Runs(text, now, names)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	match := func(m ...runs.Match) runs.Filter { return runs.Filter{Matches: m} }
	is("", runs.Filter{})
	is("  \t\n ", runs.Filter{})
	is(`saga:checkout "card gone" label:tenant="big co"`, runs.Filter{Sagas: []string{"checkout"}, Text: "card gone",
		Matches: []runs.Match{{On: runs.OnLabel, Name: "tenant", Value: "big co"}}})
	is("saga:check*", runs.Filter{Sagas: []string{"checkout", "check-in"}})
	is("saga:refund saga:checkout", runs.Filter{Sagas: []string{"refund", "checkout"}})
	is("state:stuck state:paused", runs.Filter{States: []domain.RunState{domain.RunIsStuck, runs.StatePaused}})
	is("state:unfinished", runs.Filter{States: runs.Unfinished})
	is(`text:"card gone" refused`, runs.Filter{Text: "card gone refused"})
	is(`"note:x" "12:30"`, runs.Filter{Text: "note:x 12:30"})
	is("key:web-73*", match(runs.Match{On: runs.OnKey, Value: "web-73", Begins: true}))
	is(`key:"web-73*"`, match(runs.Match{On: runs.OnKey, Value: "web-73*"}))
	is(`key:"say \"hi\" \\o"`, match(runs.Match{On: runs.OnKey, Value: `say "hi" \o`}))
	is("key:a:b", match(runs.Match{On: runs.OnKey, Value: "a:b"}))
	is("label:tenant=a=b", match(runs.Match{On: runs.OnLabel, Name: "tenant", Value: "a=b"}))
	is("label:tenant=*", match(runs.Match{On: runs.OnLabel, Name: "tenant", Begins: true}))
	is("label:tenant=", match(runs.Match{On: runs.OnLabel, Name: "tenant"}))
	is(".Email:ada@*", match(runs.Match{On: runs.OnField, Name: "email", Value: "ada@", Begins: true}))
	is("step:ship/3/label actor:kim", match(runs.Match{On: runs.OnStep, Value: "ship/3/label"}, runs.Match{On: runs.OnActor, Value: "kim"}))
	is("id:9b1c2f", match(runs.Match{On: runs.OnID, Value: "9b1c2f"}))
	is("id:0198C0DE-00*", match(runs.Match{On: runs.OnID, Value: "0198C0DE-00", Begins: true}))
	is("0198c0de-0000-7000-8000-000000000001", match(runs.Match{On: runs.OnID, Value: "0198c0de-0000-7000-8000-000000000001"}))
	is("version:2 version:v3", runs.Filter{Versions: []int{2, 3}})
	three, two := 3, 2
	is("attempts:>5", runs.Filter{MinAttempts: 6})
	is("attempts:>=2 attempts:<=3", runs.Filter{MinAttempts: 2, MaxAttempts: &three})
	is("attempts:2", runs.Filter{MinAttempts: 2, MaxAttempts: &two})
	is("attempts:<3", runs.Filter{MaxAttempts: &two})
	is("parent:refund:4711", runs.Filter{Parent: domain.RunIDForKey("refund", "4711")})
	is("parent:abc0001", runs.Filter{Parent: uuid.MustParse("0198c0de-0000-7000-8000-00000abc0001")})
	is("age:>2h", runs.Filter{To: now.Add(-2 * time.Hour)})
	is("age:<90m", runs.Filter{From: now.Add(-90 * time.Minute)})
	is("since:7d since:2h until:2026-03-01", runs.Filter{From: now.Add(-2 * time.Hour), To: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
	is("ended-since:2h ended-until:2026-03-01", runs.Filter{EndedFrom: now.Add(-2 * time.Hour), EndedTo: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)})
	is("since:2d", runs.Filter{From: now.AddDate(0, 0, -2)})
}

func TestAConditionIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"web-73", "big co", `say "hi"`, `a\`, `"`, "a*", "*", "a:b", "  ", "é\tx", `\"`} {
		f, err := Runs(Condition("key", value), now, nil)
		require.NoError(t, err, value)
		require.Equal(t, []runs.Match{{On: runs.OnKey, Value: value}}, f.Matches)
	}
}

func TestDatesAreMeantInTheReadersZone(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("", 3*3600)
	require.Equal(t, `saga:checkout since:2026-01-31T00:00:00+03:00 until:2h text:"a b"`, InZone(`saga:checkout  since:2026-01-31 until:2h text:"a b"`, zone))
	require.Equal(t, `broken "`, InZone(`broken "`, zone))
}

func TestAuditAndIncidentsHaveTheSameLanguage(t *testing.T) {
	t.Parallel()
	a, err := Audit("actor:kim what:run.paused saga:check* since:2h card", now, names)
	require.NoError(t, err)
	require.Equal(t, []string{"checkout", "check-in"}, a.Sagas)
	require.Equal(t, []string{"run.paused"}, a.Whats)
	require.Equal(t, "card", a.Text)
	_, err = Audit("what:run.pausd", now, names)
	require.ErrorContains(t, err, "did you mean run.paused?")
	i, err := Incidents("action:charge-card age:>2h declined", now, names)
	require.NoError(t, err)
	require.Equal(t, []string{"charge-card"}, i.Actions)
	require.Equal(t, now.Add(-2*time.Hour), i.To)
	i, err = Incidents("group:607c4165de7b20db assignee:kim assignee:ada state:open state:retrying", now, names)
	require.NoError(t, err)
	require.Equal(t, []string{"607c4165de7b20db"}, i.Groups)
	require.Equal(t, []string{"kim", "ada"}, i.Assignees)
	require.True(t, i.Open && i.Retrying && !i.Resolved)
	_, err = Incidents("state:opne", now, names)
	require.ErrorContains(t, err, "no state is called opne: did you mean open?")
	_, err = Incidents("group:607", now, names)
	require.ErrorContains(t, err, "607 is no group: give its id")
	_, err = Incidents("acton:charge-card", now, names)
	require.ErrorContains(t, err, "did you mean action?")
	_, err = Incidents("label:tenant=acme", now, names)
	require.ErrorContains(t, err, "there is no condition label")
}

func TestWhatCanBeTypedNext(t *testing.T) {
	t.Parallel()
	parts := func(text string, list List) (out []string) {
		for _, s := range Complete(text, list, names) {
			require.True(t, strings.HasSuffix(s.Text, s.Part), s)
			out = append(out, s.Part)
		}
		return out
	}
	require.Equal(t, []string{"state:", "step:", "since:"}, keep(parts("s", InRuns), "saga:"))
	require.Contains(t, parts("", InRuns), ".email:")
	require.Contains(t, parts("saga:refund ", InRuns), "state:")
	require.Equal(t, []string{"state:stuck", "state:stuck-below"}, parts("saga:refund state:st", InRuns))
	require.Equal(t, "saga:refund state:stuck", Complete("saga:refund state:st", InRuns, names)[0].Text)
	require.Equal(t, []string{"saga:checkout", "saga:check-in"}, parts("saga:ch", InAudit))
	require.Equal(t, []string{"label:tenant="}, parts("label:te", InRuns))
	require.Equal(t, []string{"label:tenant=acme", "label:tenant=acorn"}, parts("label:tenant=ac", InRuns))
	require.Contains(t, parts("what:run.pa", InAudit), "what:run.paused")
	require.Empty(t, parts("nope:x", InRuns))
	require.Empty(t, parts("saga:check*", InRuns))
	require.Empty(t, Complete("s", "nowhere", names))
	require.NotEmpty(t, Complete("sa", InIncidents, nil))
	require.Equal(t, []string{"state:retrying", "state:resolved"}, parts("state:re", InIncidents))
	require.Contains(t, Conditions(InAudit), "what")
	require.Contains(t, Conditions(InIncidents), "assignee")
	require.Contains(t, Conditions(InRuns), "label")
	require.Empty(t, Conditions("nowhere"))
}

func TestNamesAreThoseRegisteredAndThoseThatHaveRuns(t *testing.T) {
	t.Parallel()
	ask := func(of runs.Of, prefix string) ([]string, error) {
		return map[runs.Of][]string{runs.Sagas: {"old", "order"}, runs.Labels: nil}[of], nil
	}
	n := Known(ask, []string{"order", "refund"}, []string{"charge"}, nil)
	require.Equal(t, []string{"charge", "old", "order", "refund"}, n(runs.Sagas, ""))
	require.Equal(t, []string{}, n(runs.Labels, ""), "known to be none")
	broken := func(runs.Of, string) ([]string, error) { return nil, errors.New("no view") }
	n = Known(broken, []string{"order"}, nil, nil)
	require.Equal(t, []string{"order"}, n(runs.Sagas, ""))
	require.Nil(t, n(runs.Labels, ""), "not known")
	n = Known(ask, []string{"order", "refund"}, nil, []string{"refund"})
	require.Equal(t, []string{"refund"}, n(runs.Sagas, ""))
	require.Nil(t, n(runs.Actors, ""), "what others did is not told")
}

func keep(list []string, without string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return s == without })
}

// FuzzSearch finds texts that become a filter which no view can compare, or that make reading and
// completing panic.
func FuzzSearch(f *testing.F) {
	for _, text := range []string{"since:7d until:90m", `label:"a b"=c saga:x`, "version:v9999999999999999999", "since:1e300d", "since:0001-01-01", "\"\x00", "key:*", `a\"b`, ".:x", "id:------*"} {
		f.Add(text)
	}
	first, last := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	f.Fuzz(func(t *testing.T, text string) {
		_ = Complete(text, InRuns, names)
		_ = InZone(text, time.UTC)
		filter, err := Runs(text, now, nil)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		for _, at := range []time.Time{filter.From, filter.To} {
			if !at.IsZero() && (at.Before(first) || at.After(last)) {
				t.Fatalf("%q is %v", text, at)
			}
		}
		for _, v := range filter.Versions {
			if v < 1 {
				t.Fatalf("%q asks for version %d", text, v)
			}
		}
		for i := range filter.Matches {
			require.NoError(t, filter.Matches[i].Check(), text)
		}
	})
}
