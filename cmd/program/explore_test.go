package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
	"github.com/atonehq/atone/saga/explore"
)

// shelf has what was put on it, by key.
type shelf map[string]string

// newShelf makes a saga that puts something on the shelf. One that forgets takes nothing back.
func newShelf(name string, forgets bool) func(*explore.Edges) (shelf, *saga.Saga[string, saga.None]) {
	return func(*explore.Edges) (shelf, *saga.Saga[string, saga.None]) {
		w, gone := shelf{}, map[string]bool{}
		put := &saga.Action[string, saga.None]{Name: "put", Retry: saga.Retry{MaxAttempts: 2},
			Do: func(ctx context.Context, what string) (saga.None, error) {
				key := saga.AttemptOf(ctx).Key
				if gone[key] {
					return saga.None{}, saga.Permanent(errors.New("it was taken back before it came"))
				}
				w[key] = what
				return saga.None{}, nil
			},
			Undo: func(_ context.Context, did saga.Did[string, saga.None]) error {
				if !forgets {
					gone[did.Key] = true
					delete(w, did.Key)
				}
				return nil
			}}
		return w, saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[saga.None] { return saga.Do(f, put, in.In) })
	}
}

// shelfApp offers an exploration of a saga.
func shelfApp(name string, forgets bool) App {
	build := newShelf(name, forgets)
	_, s := build(nil)
	return App{Name: "prog", Sagas: append(testApp().Sagas, s), Explorations: []*explore.Exploration{explore.Of(build, "book",
		explore.Undone("the shelf\x1b[31m is empty", func(w shelf) error {
			if len(w) > 0 {
				return errors.New("it is not")
			}
			return nil
		}))}}
}

// explored runs the command without a data directory.
func explored(t *testing.T, app App, args ...string) (stdout, stderr string, code Exit) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), app, append([]string{"explore"}, args...), Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

func TestAProgramExploresItsSagas(t *testing.T) {
	t.Parallel()
	app := shelfApp("store", false)
	out, errs, code := explored(t, app, "store")
	require.Equal(t, ExitOK, code, out+errs)
	require.Contains(t, out, "✓ store v1: ")
	require.Contains(t, out, "put undo         held: ok, ")

	all, errs, code := explored(t, app, "-o", "json")
	require.Equal(t, ExitOK, code, errs)
	var list []struct {
		Saga      string
		Schedules []int
		Of        []int
		Complete  bool
		Broken    any
		Answers   []explore.Line
	}
	require.NoError(t, json.Unmarshal([]byte(all), &list))
	require.Len(t, list, 1)
	require.Equal(t, "store", list[0].Saga)
	require.True(t, list[0].Complete)
	require.Equal(t, list[0].Of, list[0].Schedules[1:])
	require.Nil(t, list[0].Broken)
	require.NotEmpty(t, list[0].Answers)
}

func TestABrokenSagaHasItsStoryAndItsExitCode(t *testing.T) {
	t.Parallel()
	app, page := shelfApp("store", true), filepath.Join(t.TempDir(), "store.html")
	out, errs, code := explored(t, app, "store", "--report", page)
	require.Equal(t, ExitBroken, code, errs)
	require.Contains(t, errs, "store v1 is broken: ")
	require.Contains(t, out, "✗ store v1: broken: the shelf")
	require.NotContains(t, out+errs, "\x1b", "nothing of a text reaches the terminal as a command to it")
	_, again, ok := strings.Cut(out, "play it again: prog explore store --replay '")
	require.True(t, ok, out)
	schedule, _, _ := strings.Cut(again, "'")
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "✗ Broken: the shelf")

	out, _, code = explored(t, app, "store", "--replay", schedule)
	require.Equal(t, ExitBroken, code)
	require.Contains(t, out, "► "+schedule)
	require.Contains(t, out, "broken: the shelf")
	out, errs, code = explored(t, shelfApp("store", false), "store", "--replay", schedule)
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "► "+schedule, "the story is told even if nothing is broken")
}

func TestWhatWasNotTriedIsNotCalledExplored(t *testing.T) {
	t.Parallel()
	app := shelfApp("store", false)
	for name, args := range map[string][]string{"budget": {"--budget", "5"}, "time": {"--for", "1ns"}, "a point that is not there": {"--replay", "sell do #1 = failed"}} {
		out, errs, code := explored(t, app, append([]string{"store"}, args...)...)
		require.Equal(t, ExitCut, code, name)
		require.NotContains(t, out, "✓", name)
		require.Contains(t, errs, "not everything was tried", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	require.Equal(t, ExitInterrupted, Run(ctx, app, []string{"explore"}, Streams{Out: &out, Err: &errs}), errs.String())
	require.Contains(t, out.String(), "the time was over")
}

func TestThereIsNothingToExplore(t *testing.T) {
	t.Parallel()
	_, errs, code := explored(t, testApp())
	require.Equal(t, ExitNothing, code)
	require.Contains(t, errs, "program.App.Explorations")
	_, errs, code = explored(t, shelfApp("store", false), "calc")
	require.Equal(t, ExitNothing, code)
	require.Contains(t, errs, "no exploration of calc")
	_, errs, code = explored(t, shelfApp("store", false), "nobody-has-this", "--budget", "5")
	require.Equal(t, ExitUsage, code)
	require.Contains(t, errs, "this program has none of that name")

	twice := shelfApp("store", false)
	twice.Explorations = append(twice.Explorations, twice.Explorations...)
	_, errs, code = explored(t, twice)
	require.Equal(t, ExitError, code)
	require.Contains(t, errs, "two explorations of store v1")

	for _, args := range [][]string{{"--replay", "put do #1 = failed"}, {"store", "--replay", "nonsense"}, {"--budget", "-1"}} {
		_, errs, code = explored(t, shelfApp("store", false), args...)
		require.Equal(t, ExitUsage, code, "%v: %s", args, errs)
	}
}

// builtOf is an app of a revision.
func builtOf(app App, b evidence.Build) App {
	app.Build = b
	return app
}

func TestWhatWasFoundIsRecorded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := builtOf(shelfApp("store", false), evidence.Build{Revision: "0123456789abcdef"})
	out, errs, code := prog(t, app, dir, "explore", "store", "--record")
	require.Equal(t, ExitOK, code, errs)
	require.Contains(t, out, "store v1: recorded")
	schedules, _, _ := strings.Cut(strings.TrimPrefix(out, "✓ store v1: "), " ")
	standing := func(app App) evidence.Standing {
		out, errs, code := prog(t, app, dir, "sagas", "store", "-o", "json")
		require.Equal(t, ExitOK, code, errs)
		var list []struct{ Explored evidence.Standing }
		require.NoError(t, json.Unmarshal([]byte(out), &list))
		return list[0].Explored
	}
	s := standing(app)
	require.Equal(t, "explored: "+schedules+" schedules, 0 broken, with build 0123456789ab", s.Text)
	require.Equal(t, "tester", s.Latest.By)
	require.NotEmpty(t, s.Latest.Answers)
	require.False(t, s.Stale())

	later := builtOf(shelfApp("store", false), evidence.Build{Revision: "fedcba9876543210"})
	require.Contains(t, standing(later).Text, "with build 0123456789ab; running fedcba987654")
	out, _, _ = prog(t, later, dir, "sagas", "-o", "wide")
	require.Contains(t, out, "never explored", "the other sagas of the program")

	changed := shelfApp("store", false)
	changed.Sagas[len(changed.Sagas)-1] = saga.Define("store", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[saga.None] {
		return saga.Do(f, &saga.Action[string, saga.None]{Name: "put", Effect: saga.NoEffect, Do: func(context.Context, string) (none saga.None, err error) { return none, nil }}, in.In)
	})
	changed = builtOf(changed, evidence.Build{Revision: "0123456789abcdef"})
	require.Contains(t, standing(changed).Text, "explored with another plan: ")
	_, errs, code = prog(t, changed, dir, "explore", "--record")
	require.Equal(t, ExitUsage, code, "the world's saga is not the one that the program runs")
	require.Contains(t, errs, "explore with the program that runs here")
}

func TestABrokenSagaIsRecordedAsBroken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := builtOf(shelfApp("store", true), evidence.Build{Version: "v1.2.0", Revision: "0123"})
	app.Explorations[0] = explore.Of(newShelf("store", true), "book", explore.Undone("the shelf is\u202e empty", func(shelf) error {
		return errors.New("<script>\x1b[2J")
	}))
	_, errs, code := prog(t, app, dir, "explore", "store", "--record")
	require.Equal(t, ExitBroken, code, errs)
	out, errs, code := prog(t, app, dir, "sagas", "store", "-o", "json")
	require.Equal(t, ExitOK, code, errs)
	require.Regexp(t, `explored: \d+ schedules, \d+ broken, with build v1.2.0 \(0123\)`, out)
	require.NotContains(t, out, " 0 broken")
	require.NotContains(t, out, "\u202e", "what no screen shows is written out")
	require.Contains(t, out, `\\u001b`)
	require.Contains(t, out, "<script>")
}

func TestWhatProvesNothingIsNotRecorded(t *testing.T) {
	t.Parallel()
	clean := evidence.Build{Revision: "0123"}
	for name, c := range map[string]struct {
		build evidence.Build
		args  []string
		code  Exit
	}{
		"no revision": {evidence.Build{Version: "v1"}, nil, ExitUsage},
		"dirty":       {evidence.Build{Revision: "0123", Dirty: true}, nil, ExitUsage},
		"cut":         {clean, []string{"--budget", "5"}, ExitCut},
		"one fault":   {clean, []string{"--faults", "1"}, ExitUsage},
		"a replay":    {clean, []string{"--replay", "put do #1 = failed"}, ExitUsage},
	} {
		app, dir := builtOf(shelfApp("store", false), c.build), t.TempDir()
		_, errs, code := prog(t, app, dir, append([]string{"explore", "store", "--record"}, c.args...)...)
		require.Equal(t, c.code, code, "%s: %s", name, errs)
		out, errs, code := prog(t, app, dir, "sagas", "store", "-o", "json")
		require.Equal(t, ExitOK, code, errs)
		require.NotContains(t, out, `"latest": {`, name)
	}
}

func TestEachOfSeveralReportsHasItsFile(t *testing.T) {
	t.Parallel()
	app, dir := shelfApp("a", false), t.TempDir()
	app.Explorations = append(app.Explorations, shelfApp("b", false).Explorations...)
	_, errs, code := explored(t, app, "--report", filepath.Join(dir, "r.html"))
	require.Equal(t, ExitOK, code, errs)
	files := map[string]bool{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		files[e.Name()] = true
	}
	require.True(t, maps.Equal(map[string]bool{"r-a_v1.html": true, "r-b_v1.html": true}, files), "%v", files)
}
