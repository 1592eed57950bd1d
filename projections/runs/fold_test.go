package runs

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// A run that was blocked, until a program with its code came, is not called blocked when it goes
// on, whatever its next step is; what comes to it without its code leaves it blocked.
func TestARunThatGoesOnIsBlockedNoMore(t *testing.T) {
	t.Parallel()
	const reason = "no program here has saga shop v2"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		event domain.Event
		want  string
	}{
		{&domain.AttemptStarted{Step: "a"}, ""}, {&domain.TimerSet{Step: "a"}, ""}, {&domain.AwaitOpened{Step: "a"}, ""},
		{&domain.ChildStarted{Step: "a"}, ""}, {&domain.ChildTurnedBack{Step: "a"}, ""}, {&domain.BranchChosen{Step: "a"}, ""},
		{&domain.ItemsListed{Step: "a"}, ""}, {&domain.ValueComputed{Step: "a"}, ""}, {&domain.StepsPlanned{Step: "a"}, ""},
		{&domain.PivotPassed{Step: "a"}, ""}, {&domain.RunTurnedBack{}, ""}, {&domain.StepRetried{Step: "a"}, ""}, {&domain.RunCompleted{}, ""},
		{&domain.SignalReceived{Signal: "s"}, reason}, {&domain.AttemptFailed{Step: "a"}, reason}, {&domain.TimerFired{Step: "a"}, reason},
		{&domain.AwaitMet{Step: "a"}, reason}, {&domain.RunPaused{}, reason}, {&domain.ChildEnded{Step: "a"}, reason},
	} {
		r := &state{Row: Row{Saga: "s", State: domain.RunRunning}}
		for i, e := range []domain.Event{&domain.RunBlocked{Reason: reason}, c.event} {
			r.fold(&projections.Event{Recorded: &domain.Recorded{Revision: uint64(i)}, Fact: domain.Fact{Event: e, Meta: domain.Meta{At: at}}})
		}
		require.Equal(t, c.want, r.Blocked, "after %s", c.event.WireName())
	}
}

// A run of which a program can't read an event is blocked: the lists have it, with the reason.
func TestARunThatCannotBeReadIsBlocked(t *testing.T) {
	t.Parallel()
	r := &state{Row: Row{Saga: "s", State: domain.RunRunning}}
	r.fold(&projections.Event{Recorded: &domain.Recorded{Revision: 1}, Err: errors.New("unknown event step.flew.v9")})
	require.Equal(t, "it can't be read: unknown event step.flew.v9", r.Blocked)
	require.Contains(t, r.States(), StateBlocked)
	r.fold(&projections.Event{Recorded: &domain.Recorded{Revision: 2}, Fact: domain.Fact{Event: &domain.AttemptStarted{Step: "a"}}})
	require.Empty(t, r.Blocked, "a newer program goes on")
	r.fold(&projections.Event{Recorded: &domain.Recorded{Revision: 3}, Fact: domain.Fact{Event: &domain.RunCompleted{}}})
	r.fold(&projections.Event{Recorded: &domain.Recorded{Revision: 4}, Err: errors.New("late noise")})
	require.Empty(t, r.Blocked, "it has ended")
}
