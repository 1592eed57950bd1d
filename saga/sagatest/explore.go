package sagatest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

// Flags of the test binary.
var (
	flagFor    = flag.Duration("explore.for", 0, "stop each Explore after this time; what was not tried is printed")
	flagReplay = flag.String("explore.replay", "", "play this one schedule, as a report printed it, and print its story")
	flagBudget = flag.Int("explore.budget", 0, "play at most this many schedules in each Explore, instead of what the test says")
	flagReport = flag.String("explore.report", "", "write the report of each Explore as a page of HTML to this file, with the test's name before the extension")
)

// What tests say of explorations is said in package explore, so that programs can say it too.
type (
	// Option configures [Explore].
	Option = explore.Option
	// Edges is where handlers reach the world.
	Edges = explore.Edges
	// Answer is how the world answers an attempt.
	Answer = explore.Answer
)

// The answers that [Without] may leave out.
const (
	Late  = explore.Late
	Stray = explore.Stray
	Twice = explore.Twice
)

// Invariant is [explore.Invariant].
func Invariant[W any](name string, f func(W) error) Option { return explore.Invariant(name, f) }

// Completed is [explore.Completed].
func Completed[W any](name string, f func(W) error) Option { return explore.Completed(name, f) }

// Undone is [explore.Undone].
func Undone[W any](name string, f func(W) error) Option { return explore.Undone(name, f) }

// Always is [explore.Always].
func Always[W any](name string, f func(W) error) Option { return explore.Always(name, f) }

// NextProgram is [explore.NextProgram].
func NextProgram[W any](f func(world W, now saga.AnySaga) []saga.AnySaga) Option {
	return explore.NextProgram(f)
}

// Signal is [explore.Signal].
func Signal(name string, value any) Option { return explore.Signal(name, value) }

// Event is [explore.Event].
func Event(eventType string, value any) Option { return explore.Event(eventType, value) }

// Runs is [explore.Runs].
func Runs(inputs ...any) Option { return explore.Runs(inputs...) }

// Budget is [explore.Budget].
func Budget(schedules int) Option { return explore.Budget(schedules) }

// Faults is [explore.Faults].
func Faults(n int) Option { return explore.Faults(n) }

// Seed is [explore.Seed].
func Seed(seed uint64) Option { return explore.Seed(seed) }

// Without is [explore.Without].
func Without(answers ...Answer) Option { return explore.Without(answers...) }

// WithoutIn is [explore.WithoutIn].
func WithoutIn(action saga.AnyAction, answers ...Answer) Option {
	return explore.WithoutIn(action, answers...)
}

// Apart is [explore.Apart].
func Apart() Option { return explore.Apart() }

// Replay is [explore.Replay].
func Replay(schedule string) Option { return explore.Replay(schedule) }

// NeverCompletes is [explore.NeverCompletes].
func NeverCompletes() Option { return explore.NeverCompletes() }

// NoEndlessWait is [explore.NoEndlessWait].
func NoEndlessWait() Option { return explore.NoEndlessWait() }

// Explore runs the saga through every way in which the world can answer: each thing that can go
// wrong once in a run, and each two of them. The handlers and closures are the author's own, called
// one at a time on a clock that jumps; there is no log and no network. The test fails with the
// shortest story that breaks an invariant. [explore.Of] says what build makes, and what must hold.
//
// Handlers must not call t.FailNow, sleep, or wait for each other.
func Explore[W, In, Out any](t testing.TB, build func(*Edges) (W, *saga.Saga[In, Out]), input In, opts ...Option) {
	t.Helper()
	Play(t, explore.Of(build, input, opts...))
}

// Play does what [Explore] does, for an exploration that is described elsewhere: a program may
// offer the same one to its command `explore`.
func Play(t testing.TB, x *explore.Exploration) {
	t.Helper()
	r, err := x.Search(explore.Search{For: *flagFor, Budget: max(*flagBudget, 0), Replay: *flagReplay, Describe: story.Sentence})
	if err != nil {
		t.Fatalf("explore: %v", err)
	}
	report(t, r)
}

// report prints what was found, and fails the test if something is broken.
func report(t testing.TB, r *explore.Result) {
	t.Helper()
	if *flagReport != "" {
		if err := writePage(t, r); err != nil {
			t.Errorf("-explore.report: %v", err)
		}
	}
	switch b := r.Broken; {
	case r.Replayed:
		for _, at := range r.Unreached {
			t.Errorf("explore: the schedule never came to %q", at)
		}
		for _, m := range r.Misfits {
			t.Errorf("explore: %s", m)
		}
		t.Logf("explore: %s\n%s", b.Schedule, b.Story)
		if r.Breaks() {
			t.Errorf("explore: broken: %s: %s", b.Invariant, b.Text)
		}
	case b != nil:
		root, _, _ := strings.Cut(t.Name(), "/")
		t.Errorf("explore: %splay it again: go test -run '^%s$' -explore.replay %q\nkeep it, with the world, input and checks of this test:\n\nfunc %sAgain(t *testing.T) {\n\tsagatest.Explore(t, world, input, sagatest.Replay(%q))\n}\n",
			r.Failure(), root, b.Schedule, root, b.Schedule)
	default:
		t.Logf("explore: %s", r.Summary())
	}
}

// writePage writes the report to the file that the flag names, with the test's name in it.
func writePage(t testing.TB, r *explore.Result) error {
	ext := filepath.Ext(*flagReport)
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	return os.WriteFile(strings.TrimSuffix(*flagReport, ext)+"-"+name+ext, r.Page(t.Name()), 0o644)
}
