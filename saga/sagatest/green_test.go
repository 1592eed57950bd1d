package sagatest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
	"github.com/atonehq/atone/saga/sagatest"
)

// TestASagaThatNeverCompletesIsNotGreen has a do that fails always, as one with a fake that is
// wired wrongly.
func TestASagaThatNeverCompletesIsNotGreen(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func() error{
		"fails":  func() error { return errors.New("404 not found") },
		"panics": func() error { panic("404 not found") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := explored(booked(func(_ *shop, a *saga.Action[order, row]) {
				a.Do = func(context.Context, order) (row, error) { return row{}, do() }
			}), one("booking"))
			got := found(t, x)
			require.Contains(t, got, "broken: some run completes: ")
			require.Contains(t, got, "404 not found")
			require.Contains(t, got, "with nothing going wrong")
			r, err := x().Search(explore.Search{})
			require.NoError(t, err)
			require.True(t, r.Breaks())
			require.Contains(t, r.Failure(), "check do was never reached: no run got past booking")
			require.Contains(t, r.Failure(), `"there is one booking" was never evaluated: no run completed`)
			require.Contains(t, string(r.Page("x")), "no run got past booking")
			require.Contains(t, found(t, func(more ...sagatest.Option) *explore.Exploration { return x(sagatest.Replay("none")) }), "some run completes")
			require.Empty(t, found(t, func(more ...sagatest.Option) *explore.Exploration { return x(sagatest.NeverCompletes()) }))
		})
	}
}

func TestAValueForNoAwaitIsAnError(t *testing.T) {
	t.Parallel()
	approved := func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
		return newShop(e), saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
			saga.Await[bool](f, "approved", saga.Within(time.Hour))
			saga.AwaitEvent[int](f, "paid", func(v saga.Scope) string { return in.In(v).ID }, saga.Within(time.Hour))
			return saga.Ref[saga.None]{}
		})
	}
	require.Empty(t, found(t, explored(approved, sagatest.Signal("approved", true), sagatest.Event("paid", 1))))
	for says, o := range map[string]sagatest.Option{
		`nothing awaits the signal "aproved": the signals are approved`: sagatest.Signal("aproved", true),
		`nothing awaits the event "payed": the events are paid`:         sagatest.Event("payed", 1), //nolint:misspell // the typing mistake is what is tested
		"signal approved": sagatest.Signal("approved", "yes please"),
	} {
		require.Contains(t, found(t, explored(approved, o)), says)
	}
}

// TestContextsAreThoseOfACoordinator calls what a handler may call.
func TestContextsAreThoseOfACoordinator(t *testing.T) {
	t.Parallel()
	require.Empty(t, found(t, explored(booked(func(s *shop, a *saga.Action[order, row]) {
		do := a.Do
		a.HeartbeatTimeout = time.Minute
		a.Do = func(ctx context.Context, o order) (row, error) {
			if err := saga.Heartbeat(ctx, "half"); err != nil {
				return row{}, err
			}
			if due, ok := ctx.Deadline(); !ok || due != saga.AttemptOf(ctx).Deadline || !due.After(s.now()) {
				return row{}, fmt.Errorf("the deadline is %v, %t", due, ok)
			}
			return do(ctx, o)
		}
	}), empty("booking"), one("booking"))))
}

func TestAReplayIsOfWhatCanBe(t *testing.T) {
	t.Parallel()
	for schedule, says := range map[string]string{
		"booking do #1 = fialed":             `"booking do #1" can't be "fialed": it can be refused, failed, `,
		"booking do #1 = first:check do #1":  `can't be "first:check do #1"`,
		"person before booking do #1 = late": `can't be "late": it can be cancel, pause`,
		"booking do #1 = died-done always":   "",
		"none":                               "",
	} {
		got := found(t, explored(booked(nil), sagatest.Replay(schedule)))
		if says == "" {
			require.Empty(t, got, schedule)
		} else {
			require.Contains(t, got, says)
		}
	}
}

// TestWhatBreaksByItselfIsReplayed replays what breaks though nothing goes wrong: the schedule has
// a name, and nothing else is played.
func TestWhatBreaksByItselfIsReplayed(t *testing.T) {
	t.Parallel()
	x := explored(booked(nil), sagatest.Completed("never", func(*shop) error { return errors.New("it completed") }))
	require.Contains(t, found(t, x), `-explore.replay "none"`)
	r, err := x().Search(explore.Search{Replay: "none"})
	require.NoError(t, err)
	require.True(t, r.Replayed)
	require.True(t, r.Breaks())
	require.Equal(t, 1, r.Total())
}

func TestPairsThatWereNotCountedAreNotAll(t *testing.T) {
	t.Parallel()
	r, err := explored(booked(nil))().Search(explore.Search{Budget: 3})
	require.NoError(t, err)
	require.Contains(t, r.Summary(), "pairs: not counted")
	require.NotContains(t, r.Summary(), "pairs: all")
}

// bare is a world without a Fingerprint.
type bare struct{ rows []string }

func TestWithoutAFingerprintASecondDeliveryIsNotJudged(t *testing.T) {
	t.Parallel()
	x := explore.Of(func(*sagatest.Edges) (*bare, *saga.Saga[order, saga.None]) {
		w := &bare{}
		a := &saga.Action[order, saga.None]{Name: "book", Retry: few, UndoRetry: few,
			Do:   func(context.Context, order) (saga.None, error) { w.rows = append(w.rows, "x"); return saga.None{}, nil },
			Undo: func(context.Context, saga.Did[order, saga.None]) error { w.rows = nil; return nil }}
		return w, then(a, self)
	}, order{ID: "7"}, sagatest.Without(sagatest.Late, sagatest.Stray))
	r, err := x.Search(explore.Search{Faults: 1})
	require.NoError(t, err)
	require.False(t, r.Breaks())
	require.Contains(t, r.Summary(), "not judged: twice (the world has no Fingerprint)")
	require.Contains(t, string(r.Page("x")), "not judged")
	for _, l := range r.Answers {
		require.NotContains(t, l.Held, sagatest.Twice)
	}
}

// fragile is a world whose Fingerprint panics once something is in it.
type fragile struct{ shop }

func (f *fragile) Fingerprint() string {
	if len(f.rows) > 0 {
		panic("no fingerprint")
	}
	return ""
}

func TestPanicsOfAWorldAreContained(t *testing.T) {
	t.Parallel()
	got := failed(t, func(t testing.TB) {
		sagatest.Explore(t, func(e *sagatest.Edges) (*fragile, *saga.Saga[order, saga.None]) {
			f := &fragile{*newShop(e)}
			return f, then(book(&f.shop, "booking"), self)
		}, order{ID: "7"})
	})
	require.Contains(t, got, "Fingerprint panicked: no fingerprint")
	require.Contains(t, got, "with nothing going wrong")
	built := 0
	got = failed(t, func(t testing.TB) {
		sagatest.Explore(t, func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
			if built++; built > 2 {
				panic("no world")
			}
			s := newShop(e)
			return s, then(book(s, "booking"), self)
		}, order{ID: "7"})
	})
	require.Contains(t, got, "fatal: ")
	require.Contains(t, got, "no world")
	require.Contains(t, got, `schedule "`)
}
