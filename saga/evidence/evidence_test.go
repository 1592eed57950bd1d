package evidence_test

import (
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/evidence"
)

var built = evidence.Build{Revision: "0123456789abcdef"}

// found is a result in which nothing is broken.
func found() evidence.Exploration {
	return evidence.Exploration{Version: 1, Plan: "aa", Build: built, Schedules: []int{1, 59, 4500}, Of: []int{59, 4500}, Invariants: []string{"money is conserved"}, Answers: []string{"refused"}}
}

func TestTheLatestResultCounts(t *testing.T) {
	t.Parallel()
	log, at := memlog.New(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	open := func(b evidence.Build) *evidence.Evidence {
		return evidence.New(evidence.Config{Log: log, Build: b, Now: func() time.Time { return at }})
	}
	here, elsewhere := open(built), open(evidence.Build{Version: "v1.2.0", Revision: "fedcba"})
	says := func(v *evidence.Evidence, version int, plan string) evidence.Standing {
		s, err := v.Standing(t.Context(), "order", version, plan)
		require.NoError(t, err)
		return s
	}
	require.Equal(t, evidence.Standing{Text: "never explored"}, says(here, 1, "aa"))
	x, err := here.Record(t.Context(), "order", "aa", found(), "ann")
	require.NoError(t, err)
	require.Equal(t, evidence.Explored{Saga: "order", Exploration: found(), By: "ann", At: at}, x)
	require.Equal(t, evidence.Standing{Latest: &x, Text: "explored: 4,560 schedules, 0 broken, with build 0123456789ab"}, says(here, 1, "aa"))
	require.False(t, says(here, 1, "aa").Stale())
	other := says(elsewhere, 1, "aa")
	require.Equal(t, "explored: 4,560 schedules, 0 broken, with build 0123456789ab; running v1.2.0 (fedcba)", other.Text)
	require.True(t, other.Stale())
	require.Equal(t, "never explored", says(here, 2, "aa").Text, "another version is another saga")

	changed := says(here, 1, "bb")
	require.True(t, changed.OtherPlan)
	require.True(t, changed.Stale())
	require.Equal(t, "explored with another plan: 4,560 schedules, 0 broken, with build 0123456789ab", changed.Text)

	broken := found()
	broken.Schedules, broken.Of, broken.Others = []int{1, 59}, []int{59}, 2
	broken.Broken = &evidence.Violation{Invariant: "money is conserved", Text: "it is <b>not</b>\nat all", Schedule: "pay do #1 = refused"}
	_, err = elsewhere.Record(t.Context(), "order", "aa", broken, "bob")
	require.NoError(t, err)
	require.Equal(t, "explored: 60 schedules, 3 broken, with build 0123456789ab", says(here, 1, "aa").Text, "the other place recorded it")
	require.True(t, says(here, 1, "aa").Broken())
}

func TestWhatProvesNothingIsNotRecorded(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	v := evidence.New(evidence.Config{Log: log})
	for name, change := range map[string]func(*evidence.Exploration){
		"no revision":          func(e *evidence.Exploration) { e.Build = evidence.Build{Version: "v1"} },
		"a dirty build":        func(e *evidence.Exploration) { e.Build.Dirty = true },
		"another plan":         func(e *evidence.Exploration) { e.Plan = "bb" },
		"no plan":              func(e *evidence.Exploration) { e.Plan = "" },
		"singles only":         func(e *evidence.Exploration) { e.Of = e.Of[:1] },
		"pairs cut":            func(e *evidence.Exploration) { e.Schedules[2]-- },
		"singles cut":          func(e *evidence.Exploration) { e.Schedules[1]-- },
		"pairs not begun":      func(e *evidence.Exploration) { e.Schedules = e.Schedules[:2] },
		"a replay":             func(e *evidence.Exploration) { e.Schedules, e.Of = []int{0, 1}, nil },
		"a negative count":     func(e *evidence.Exploration) { e.Of[0] = -1 },
		"a hidden name":        func(e *evidence.Exploration) { e.Invariants = []string{"money\u202e"} },
		"a terminal's command": func(e *evidence.Exploration) { e.Answers = []string{"\x1b[2J"} },
		"a bell":               func(e *evidence.Exploration) { e.Broken = &evidence.Violation{Invariant: "a", Text: "\x07"} },
		"a huge text": func(e *evidence.Exploration) {
			e.Broken = &evidence.Violation{Invariant: "a", Text: strings.Repeat("x", 16<<10+1)}
		},
	} {
		e := found()
		change(&e)
		_, err := v.Record(t.Context(), "order", "aa", e, "ann")
		require.ErrorIs(t, err, domain.ErrBadInput, name)
	}
	huge := found()
	for range 400 {
		huge.Invariants = append(huge.Invariants, strings.Repeat("n", 200))
	}
	_, err := v.Record(t.Context(), "order", "aa", huge, "ann")
	require.ErrorIs(t, err, domain.ErrTooLarge)
	_, err = v.Record(t.Context(), "order", "aa", found(), "ann\u202e")
	require.ErrorIs(t, err, domain.ErrBadInput)
	for range log.ReadStream(t.Context(), "atone-explorations", 0) {
		t.Fatal("something was written")
	}
}

func TestAResultThatCantBeReadHurtsOnlyItself(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	for _, e := range []domain.NewEvent{{Type: "atone.saga_explored.v1", Data: []byte(`[`)}, {Type: "atone.saga_explored.v9", Data: []byte(`{"saga":"order","version":1}`)}} {
		e.ID = uuid.New()
		_, err := log.Append(t.Context(), "atone-explorations", domain.AnyRevision, e)
		require.NoError(t, err)
	}
	v := evidence.New(evidence.Config{Log: log})
	s, err := v.Standing(t.Context(), "order", 1, "aa")
	require.NoError(t, err)
	require.Equal(t, "never explored", s.Text)
}

func TestABuildIsReadFromTheProgram(t *testing.T) {
	t.Parallel()
	require.Equal(t, "unknown", evidence.BuildOf(nil).String())
	info := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}}
	b := evidence.BuildOf(info)
	require.Equal(t, evidence.Build{Revision: "0123456789abcdef", Dirty: true}, b)
	require.Equal(t, "0123456789ab with changes", b.String())
}
