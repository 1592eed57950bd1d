package sagatest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// Seats has the seats of one flight, by the key that took each.
type Seats map[string]string

func (s Seats) Take(_ context.Context, key, name string) error { s[key] = name; return nil }
func (s Seats) Free(_ context.Context, key string) error       { delete(s, key); return nil }

// Trip takes a seat and pays for it.
func Trip(s Seats) *saga.Saga[string, saga.None] {
	seat := &saga.Action[string, saga.None]{Name: "take-seat",
		Do: func(ctx context.Context, name string) (saga.None, error) {
			return saga.None{}, s.Take(ctx, saga.AttemptOf(ctx).Key, name)
		},
		Undo: func(ctx context.Context, did saga.Did[string, saga.None]) error { return s.Free(ctx, did.Key) }}
	pay := &saga.Action[string, saga.None]{Name: "pay",
		Do:   func(context.Context, string) (saga.None, error) { return saga.None{}, nil },
		Undo: func(context.Context, saga.Did[string, saga.None]) error { return nil }}
	return saga.Define("trip", 1, func(f *saga.Flow, name saga.Ref[string]) saga.Ref[saga.None] {
		saga.Do(f, seat, name.In)
		saga.Do(f, pay, name.In)
		return saga.Ref[saga.None]{}
	})
}

func TestATripIsAllOrNothing(t *testing.T) {
	sagatest.Explore(t, func(*sagatest.Edges) (Seats, *saga.Saga[string, saga.None]) {
		seats := Seats{}
		return seats, Trip(seats)
	}, "Ada",
		sagatest.Without(sagatest.Late, sagatest.Stray), // the database is local
		sagatest.Completed("Ada has one seat", func(s Seats) error {
			if len(s) != 1 {
				return errors.New("she has not")
			}
			return nil
		}),
		sagatest.Undone("no seat is taken", func(s Seats) error {
			if len(s) > 0 {
				return errors.New("one is")
			}
			return nil
		}))
}
