package sagatest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// The tests of docs/testing.md. The page shows parts of this file.

type Booking struct {
	Guest  string `json:"guest"`
	Nights int    `json:"nights"`
}

var BookRoom = &saga.Action[Booking, string]{
	Name: "book-room",
	Do:   func(ctx context.Context, b Booking) (string, error) { return hotel.Book(ctx, b) },
	Undo: func(ctx context.Context, did saga.Did[Booking, string]) error { return hotel.Free(ctx, did.Key) },
}

var TakeDeposit = &saga.Action[Booking, int]{
	Name:  "take-deposit",
	Do:    func(ctx context.Context, b Booking) (int, error) { return till.Take(ctx, b.Guest, 50*b.Nights) },
	Undo:  func(ctx context.Context, did saga.Did[Booking, int]) error { return till.GiveBack(ctx, did.Key) },
	Retry: saga.Retry{MaxAttempts: 5, Initial: time.Second, Max: time.Hour},
}

var Stay = saga.Define("stay", 1, func(f *saga.Flow, b saga.Ref[Booking]) saga.Ref[string] {
	room := saga.Do(f, BookRoom, b.In)
	saga.Do(f, TakeDeposit, b.In)
	confirmed := saga.Await[bool](f, "confirmed", saga.Within(30*24*time.Hour), saga.DefaultTo(false))
	saga.If(f, func(v saga.Scope) bool { return !confirmed.In(v) }, func(f *saga.Flow) {
		saga.Reject(f, func(saga.Scope) string { return "nobody confirmed it" })
	}, nil)
	return room
})

// hotel and till stand for systems that no test is to reach.
var (
	hotel unreachable
	till  unreachable
)

type unreachable struct{}

var errUnreachable = errors.New("no test reaches this")

func (unreachable) Book(context.Context, Booking) (string, error)        { return "", errUnreachable }
func (unreachable) Free(context.Context, string) error                   { return errUnreachable }
func (unreachable) Take(context.Context, string, int) (int, error)       { return 0, errUnreachable }
func (unreachable) GiveBack(ctx context.Context, key string) (err error) { return errUnreachable }

func TestAConfirmedStayHasItsRoom(t *testing.T) {
	k := sagatest.New(t, Stay)
	sagatest.StandFor(k, BookRoom).Return("room 12")
	sagatest.StandFor(k, TakeDeposit)

	run := sagatest.Start(k, Stay, Booking{Guest: "Ada", Nights: 2})
	run.WaitsFor("confirmed")
	run.Signal("confirmed", true)
	require.Equal(t, "room 12", run.Completed())
}

func TestADepositIsTriedAgain(t *testing.T) {
	k := sagatest.New(t, Stay)
	sagatest.StandFor(k, BookRoom)
	deposit := sagatest.StandFor(k, TakeDeposit).Fail(3, errors.New("the till is closed"))

	run := sagatest.Start(k, Stay, Booking{Guest: "Ada", Nights: 2})
	k.Advance(time.Hour) // the retries are due within it
	run.WaitsFor("confirmed")
	calls := deposit.Calls()
	require.Len(t, calls, 4)
	require.Equal(t, "Ada", calls[3].Input.Guest)
	require.Equal(t, calls[0].Key, calls[3].Key, "each attempt has the same key")
}

func TestNobodyConfirmsForAMonth(t *testing.T) {
	k := sagatest.New(t, Stay)
	rooms := sagatest.StandFor(k, BookRoom)
	sagatest.StandFor(k, TakeDeposit)

	run := sagatest.Start(k, Stay, Booking{Guest: "Ada", Nights: 2})
	k.Advance(30 * 24 * time.Hour)
	require.ErrorContains(t, run.Compensated(), "nobody confirmed it")
	require.Empty(t, rooms.Effects())
}

func TestACrashDuringTheDeposit(t *testing.T) {
	k := sagatest.New(t, Stay)
	sagatest.StandFor(k, BookRoom)
	deposit := sagatest.StandFor(k, TakeDeposit).Block()

	run := sagatest.Start(k, Stay, Booking{Guest: "Ada", Nights: 2})
	run.UntilCalled("take-deposit")
	k.Crash()
	deposit.Release()
	k.Advance(time.Hour)
	run.WaitsFor("confirmed")
	require.Len(t, deposit.Calls(), 2, "the attempt that died with its process, and the next")
}

func TestARefusedDepositFreesTheRoom(t *testing.T) {
	sagatest.Given(t, Stay, Booking{Guest: "Ada", Nights: 2}, sagatest.Refuses(TakeDeposit, errors.New("no money"))).
		ThenCalls("book-room", "take-deposit", "undo book-room").
		ThenIs(domain.RunIsCompensated).
		ThenLeaves()
}

func TestACancelledStayGivesEverythingBack(t *testing.T) {
	sagatest.Given(t, Stay, Booking{Guest: "Ada", Nights: 2}).
		WhenTimePasses(48*time.Hour).
		WhenCancelled("she is ill").
		ThenCalls("book-room", "take-deposit", "undo take-deposit", "undo book-room").
		ThenIs(domain.RunIsCancelled).
		ThenLeaves()
}

func TestAStoryGoesOn(t *testing.T) {
	story := []domain.Event{
		&domain.RunStarted{Input: []byte(`{"guest":"Ada","nights":2}`)},
		&domain.AttemptStarted{Step: "book-room", Action: "book-room", Direction: domain.Do, Attempt: 1, Input: []byte(`{"guest":"Ada","nights":2}`)},
		&domain.AttemptSucceeded{Step: "book-room", Direction: domain.Do, Attempt: 1, Output: []byte(`"room 12"`)},
	}
	sagatest.GivenEvents(t, Stay, story, sagatest.TimesOut(TakeDeposit, 5)).
		WhenAllIsDue().
		ThenCalls("take-deposit", "take-deposit", "take-deposit", "take-deposit", "take-deposit", "undo take-deposit", "undo book-room").
		ThenLeaves()
}

func TestInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sagatest.Given(t, Stay, Booking{Guest: "Ada", Nights: 2}).WhenSignalled("confirmed", true).ThenIs(domain.RunIsCompleted)
	})
}

func TestWhatAFailedTestSays(t *testing.T) {
	says := saysOf(t, func(t testing.TB) {
		sagatest.Given(t, Stay, Booking{Guest: "Ada", Nights: 2}, sagatest.Refuses(TakeDeposit, errors.New("no money"))).
			ThenCalls("book-room", "take-deposit", "undo take-deposit", "undo book-room")
	})
	require.Contains(t, says, `the calls differ at 3:
     wanted             got
     book-room          book-room
     take-deposit       take-deposit
  ▶  undo take-deposit  undo book-room
     undo book-room     –
`)
}
