package sagatest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
	"github.com/atonehq/atone/saga/sagatest"
)

// recorder is a test that notes how it failed.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestOfAnAuthor" }
func (r *recorder) Errorf(format string, args ...any) {
	r.failed += fmt.Sprintf(format, args...)
}

type stop struct{}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failed += "fatal: " + fmt.Sprintf(format, args...)
	panic(stop{})
}

// found plays an exploration and returns how it failed; empty for not at all.
func found(t *testing.T, x exploration) string {
	t.Helper()
	return failed(t, x.in)
}

// failed returns how a test failed; empty for not at all.
func failed(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(stop); !ok {
					panic(p)
				}
			}
		}()
		f(r)
	}()
	return r.failed
}

// shop is the world of the gallery: rows by name, what was refused for good by a mark, and counts.
type shop struct {
	rows  map[string]string
	marks map[string]bool
	count map[string]int
	now   func() time.Time
}

func newShop(e *sagatest.Edges) *shop {
	return &shop{rows: map[string]string{}, marks: map[string]bool{}, count: map[string]int{}, now: e.Now}
}

func (s *shop) Fingerprint() string { return fmt.Sprint(s.rows, s.marks, s.count) }

func (s *shop) left(prefix string) (names []string) {
	for name := range s.rows {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

func empty(prefix string) sagatest.Option {
	return sagatest.Undone("no "+prefix+" is left", func(s *shop) error {
		if left := s.left(prefix); len(left) > 0 {
			return fmt.Errorf("%d left", len(left))
		}
		return nil
	})
}

func one(prefix string) sagatest.Option {
	return sagatest.Completed("there is one "+prefix, func(s *shop) error {
		if left := s.left(prefix); len(left) != 1 {
			return fmt.Errorf("there are %d", len(left))
		}
		return nil
	})
}

// order is the input of the gallery's sagas.
type order struct {
	ID    string   `json:"id"`
	Items []string `json:"items,omitempty"`
}

type row struct {
	Name string `json:"name"`
}

var few = saga.Retry{MaxAttempts: 2, Initial: time.Millisecond}

// make2 is a saga of the action and a second step that is harmless, and can fail.
func then[In, Out any](a *saga.Action[In, Out], input func(order) In) *saga.Saga[order, saga.None] {
	check := &saga.Action[order, saga.None]{Name: "check", Effect: saga.NoEffect, Retry: few,
		Do: func(context.Context, order) (saga.None, error) { return saga.None{}, nil }}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		saga.Do(f, a, func(v saga.Scope) In { return input(in.In(v)) })
		saga.Do(f, check, in.In)
		return saga.Ref[saga.None]{}
	})
}

func self(o order) order { return o }

// book is an action as it should be: one row for each key, and an undo that leaves a mark under the
// do's key, so that a do which comes after it is refused.
func book(s *shop, name string) *saga.Action[order, row] {
	return &saga.Action[order, row]{Name: name, Retry: few, UndoRetry: few,
		Do: func(ctx context.Context, _ order) (row, error) {
			key := saga.AttemptOf(ctx).Key
			if s.marks[key] {
				return row{}, saga.Permanent(errors.New("it was undone before it came"))
			}
			s.rows[name+" "+key] = key
			return row{Name: name + " " + key}, nil
		},
		Undo: func(_ context.Context, did saga.Did[order, row]) error {
			s.marks[did.Key] = true
			delete(s.rows, name+" "+did.Key)
			return nil
		}}
}

// exhibit is a mistake that people make, and its mended twin.
type exhibit struct {
	broken, mended exploration
	// finds is what the failure must say.
	finds []string
}

type build = func(*sagatest.Edges) (*shop, *saga.Saga[order, saga.None])

// exploration describes one, with more options.
type exploration func(more ...sagatest.Option) *explore.Exploration

func (x exploration) in(t testing.TB) { sagatest.Play(t, x()) }

func explored(b build, opts ...sagatest.Option) exploration {
	return func(more ...sagatest.Option) *explore.Exploration {
		return explore.Of(b, order{ID: "7", Items: []string{"a", "b"}}, append(opts[:len(opts):len(opts)], more...)...)
	}
}

// over makes a build of a saga over a shop.
func over(f func(*shop) *saga.Saga[order, saga.None]) build {
	return func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
		s := newShop(e)
		return s, f(s)
	}
}

func booked(change func(*shop, *saga.Action[order, row])) build {
	return over(func(s *shop) *saga.Saga[order, saga.None] {
		a := book(s, "booking")
		if change != nil {
			change(s, a)
		}
		return then(a, self)
	})
}

var gallery = map[string]exhibit{
	"an undo deletes by a name that a retry changed": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(ctx context.Context, o order) (row, error) {
				name := fmt.Sprintf("booking %s try %d", o.ID, saga.AttemptOf(ctx).Number)
				s.rows[name] = o.ID
				return row{name}, nil
			}
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error { delete(s.rows, did.Output.Name); return nil }
		}), empty("booking")),
		mended: explored(booked(nil), empty("booking"), one("booking")),
		finds:  []string{"booking"},
	},
	"an undo fails when there is nothing to undo": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			undo := a.Undo
			a.Undo = func(ctx context.Context, did saga.Did[order, row]) error {
				if _, ok := s.rows["booking "+did.Key]; !ok {
					return errors.New("404 no such booking")
				}
				return undo(ctx, did)
			}
		}), empty("booking")),
		mended: explored(booked(nil), empty("booking")),
		finds:  []string{"an undo succeeds if the world lets it", "404 no such booking"},
	},
	"a do is not idempotent under its key": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) { s.count["charged"]++; return do(ctx, o) }
		})),
		mended: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) {
				if _, ok := s.rows["booking "+saga.AttemptOf(ctx).Key]; !ok {
					s.count["charged"]++
				}
				return do(ctx, o)
			}
		})),
		finds: []string{"one effect for one key", "booking do", "twice"},
	},
	"an effect comes before a check that refuses": {
		broken: explored(booked(func(_ *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) {
				r, err := do(ctx, o)
				if err == nil && o.ID != "8" {
					return row{}, saga.Permanent(errors.New("unknown customer"))
				}
				return r, err
			}
		}), empty("booking")),
		mended: explored(booked(func(_ *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) {
				if o.ID != "8" {
					return row{}, saga.Permanent(errors.New("unknown customer"))
				}
				return do(ctx, o)
			}
		}), empty("booking"), sagatest.NeverCompletes()),
		finds: []string{"no booking is left", "with nothing going wrong"},
	},
	"an undo undoes a sibling's work": {
		broken: explored(eachItem(func(s *shop, did saga.Did[string, row]) {
			for name := range s.rows {
				delete(s.rows, name) // all rows of the order
			}
		}), sagatest.Completed("each item that was done has its row", itemsStand)),
		mended: explored(eachItem(func(s *shop, did saga.Did[string, row]) { delete(s.rows, "item "+did.Key) }),
			sagatest.Completed("each item that was done has its row", itemsStand)),
		finds: []string{"each item that was done has its row"},
	},
	"two runs undo each other's work": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(_ context.Context, o order) (row, error) { s.rows["booking "+o.ID] = o.ID; return row{}, nil }
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error {
				delete(s.rows, "booking "+did.Input.ID)
				return nil
			}
		}), sagatest.Runs(order{ID: "7"}), sagatest.Invariant("who completed has a booking", completedHave)),
		mended: explored(booked(nil), sagatest.Runs(order{ID: "7"}), sagatest.Invariant("who completed has a booking", func(s *shop) error { return nil }), one2("booking")),
		finds:  []string{"who completed has a booking", "run 2"},
	},
	"a probe lies about an effect that is on its way": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error {
				delete(s.rows, "booking "+did.Key)
				return nil
			}
			a.Probe = func(ctx context.Context, _ order) (saga.Probed[row], error) {
				if r, ok := s.rows["booking "+saga.AttemptOf(ctx).Key]; ok {
					return saga.Applied(row{r}), nil
				}
				return saga.NotApplied[row](), nil
			}
			a.Retry.MaxAttempts = 1
		}), empty("booking")),
		mended: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Probe = func(ctx context.Context, _ order) (saga.Probed[row], error) {
				key := saga.AttemptOf(ctx).Key
				if r, ok := s.rows["booking "+key]; ok {
					return saga.Applied(row{r}), nil
				}
				s.marks[key] = true // what comes now is refused
				return saga.NotApplied[row](), nil
			}
			a.Retry.MaxAttempts = 1
		}), empty("booking")),
		finds: []string{"stray"},
	},
	"undos in parallel break a foreign key": {
		broken: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return customerAndInvoice(s, false) })),
		mended: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return customerAndInvoice(s, true) })),
		finds:  []string{"an undo succeeds if the world lets it", "foreign key"},
	},
	"a pivot comes too late": {
		broken: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return letterAndBooking(s, true) }),
			sagatest.Undone("no letter is sent", noLetter)),
		mended: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return letterAndBooking(s, false) }),
			sagatest.Undone("no letter is sent", noLetter)),
		finds: []string{"no letter is sent"},
	},
	"Permanent is said after the effect": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) {
				if _, err := do(ctx, o); err != nil {
					return row{}, err
				}
				return row{}, saga.Permanent(errors.New("the answer could not be parsed"))
			}
		}), empty("booking")),
		mended: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			do := a.Do
			a.Do = func(ctx context.Context, o order) (row, error) {
				if _, err := do(ctx, o); err != nil {
					return row{}, err
				}
				return row{}, errors.New("the answer could not be parsed") // in doubt: undone
			}
		}), empty("booking"), sagatest.NeverCompletes()),
		finds: []string{"no booking is left"},
	},
	"a key is made from the clock": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(context.Context, order) (row, error) {
				name := "booking " + s.now().Format(time.RFC3339Nano)
				s.rows[name] = name
				return row{name}, nil
			}
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error { delete(s.rows, did.Output.Name); return nil }
		}), empty("booking"), one("booking")),
		mended: explored(booked(nil), empty("booking"), one("booking")),
		finds:  []string{"booking"},
	},
	"a do comes after its undo": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(ctx context.Context, _ order) (row, error) {
				s.rows["booking "+saga.AttemptOf(ctx).Key] = "x"
				return row{}, nil
			}
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error {
				delete(s.rows, "booking "+did.Key)
				return nil
			}
		}), empty("booking")),
		mended: explored(booked(nil), empty("booking")),
		finds:  []string{"nothing is left behind", "stray"},
	},
	"a next version drops the action that a run must undo": {
		broken: explored(booked(nil), sagatest.NextProgram(nextOrder(false))),
		mended: explored(booked(nil), sagatest.NextProgram(nextOrder(true))),
		finds:  []string{"deploy", "blocked"},
	},
	"an undo uses an output that is not known": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Undo = func(_ context.Context, did saga.Did[order, row]) error {
				s.marks[did.Key] = true
				delete(s.rows, did.Output.Name) // empty where the do is in doubt
				return nil
			}
		}), empty("booking")),
		mended: explored(booked(nil), empty("booking")),
		finds:  []string{"no booking is left", "-done"},
	},
	"an undo is not idempotent": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			undo := a.Undo
			a.Undo = func(ctx context.Context, did saga.Did[order, row]) error {
				s.count["refunded"]++
				return undo(ctx, did)
			}
		})),
		mended: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			undo := a.Undo
			a.Undo = func(ctx context.Context, did saga.Did[order, row]) error {
				if !s.marks[did.Key] {
					s.count["refunded"]++
				}
				return undo(ctx, did)
			}
		})),
		finds: []string{"one effect for one key", "booking undo"},
	},
	"two runs take the last one": {
		broken: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return lastOne(s, true) }),
			sagatest.Runs(order{ID: "8"}), sagatest.Always("nothing is sold twice", soldOnce)),
		mended: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return lastOne(s, false) }),
			sagatest.Runs(order{ID: "8"}), sagatest.Always("nothing is sold twice", soldOnce)),
		finds: []string{"nothing is sold twice", "run 2: "},
	},
	"two siblings read a balance, and both write it": {
		broken: explored(func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
			s := newShop(e)
			return s, deposits(s, e, false)
		}, balanceIs(2)),
		mended: explored(func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
			s := newShop(e)
			return s, deposits(s, e, true)
		}, balanceIs(2)),
		finds: []string{"the balance is right", "when order at items/0/deposit do #1 > 2 = first:items/1/deposit do #1\n"},
	},
	"two runs read a balance, and both write it": {
		broken: explored(func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
			s := newShop(e)
			return s, deposits(s, e, false)
		}, sagatest.Runs(order{ID: "8", Items: []string{"c"}}), balanceIs(3), sagatest.Faults(1)),
		mended: explored(func(e *sagatest.Edges) (*shop, *saga.Saga[order, saga.None]) {
			s := newShop(e)
			return s, deposits(s, e, true)
		}, sagatest.Runs(order{ID: "8", Items: []string{"c"}}), balanceIs(3), sagatest.Faults(1)),
		finds: []string{"the balance is right", "order at items/0/deposit do #1 > 2"},
	},
	"what comes after a child run is not idempotent": {
		broken: explored(over(func(s *shop) *saga.Saga[order, saga.None] {
			return withChild(s, func(a *saga.Action[order, row]) {
				do := a.Do
				a.Do = func(ctx context.Context, o order) (row, error) { s.count["charged"]++; return do(ctx, o) }
			})
		}), empty("")),
		mended: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return withChild(s, nil) }), empty(""), one("hotel"), one("charge")),
		finds:  []string{"one effect for one key", "when charge do #1 = twice\n"},
	},
	"an accepted letter hides a charge": {
		broken: explored(over(func(s *shop) *saga.Saga[order, saga.None] {
			return letterAndCharge(s, func(context.Context, saga.Did[order, row]) error { return nil })
		}), empty("charge")),
		mended: explored(over(func(s *shop) *saga.Saga[order, saga.None] { return letterAndCharge(s, nil) }), empty("charge")),
		finds:  []string{"no charge is left"},
	},
	"a late charge is booked, and not answered as before": {
		broken: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(ctx context.Context, _ order) (row, error) {
				key := saga.AttemptOf(ctx).Key
				s.rows["booking "+key] = key
				return row{}, nil
			}
		}), empty("booking")),
		mended: explored(booked(func(s *shop, a *saga.Action[order, row]) {
			a.Do = func(ctx context.Context, _ order) (row, error) {
				if key := saga.AttemptOf(ctx).Key; !s.marks[key] {
					s.rows["booking "+key] = key
				}
				return row{}, nil // the answer to a late request is that to the first
			}
		}), empty("booking")),
		finds: []string{"nothing is left behind"},
	},
}

// withChild books a hotel in a child run, and charges after it.
func withChild(s *shop, change func(*saga.Action[order, row])) *saga.Saga[order, saga.None] {
	hotel, charge := book(s, "hotel"), book(s, "charge")
	if change != nil {
		change(charge)
	}
	child := then(hotel, self)
	return saga.Define("stay", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		saga.Child(f, child, in.In)
		saga.Do(f, charge, in.In)
		return saga.Ref[saga.None]{}
	})
}

// letterAndCharge sends a letter that may stay, and charges.
func letterAndCharge(s *shop, undo func(context.Context, saga.Did[order, row]) error) *saga.Saga[order, saga.None] {
	letter := &saga.Action[order, saga.None]{Name: "letter", Effect: saga.Irreversible, Retry: few,
		Do: func(context.Context, order) (saga.None, error) { s.count["letter"] = 1; return saga.None{}, nil }}
	charge := book(s, "charge")
	if undo != nil {
		charge.Undo = undo
	}
	check := &saga.Action[order, saga.None]{Name: "check", Effect: saga.NoEffect, Retry: few,
		Do: func(context.Context, order) (saga.None, error) { return saga.None{}, nil }}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		saga.Do(f, letter, in.In, saga.AcceptIrreversible("they may have it"), saga.AcceptDoubt("fine"))
		saga.Do(f, charge, in.In)
		saga.Do(f, check, in.In)
		return saga.Ref[saga.None]{}
	})
}

// deposits pays each item into one balance: reads it and writes it, or has the bank add to it.
func deposits(s *shop, e *sagatest.Edges, adds bool) *saga.Saga[order, saga.None] {
	pay := func(ctx context.Context, by int) error {
		a := saga.AttemptOf(ctx)
		done := string(a.Direction) + a.Key
		if adds {
			return e.Call("add", func() error {
				if !s.marks[done] {
					s.marks[done] = true
					s.count["balance"] += by
				}
				return nil
			})
		}
		var balance int
		if err := e.Call("read", func() error { balance = s.count["balance"]; return nil }); err != nil {
			return err
		}
		return e.Call("write", func() error {
			if !s.marks[done] {
				s.marks[done] = true
				s.count["balance"] = balance + by
			}
			return nil
		})
	}
	deposit := &saga.Action[string, saga.None]{Name: "deposit", Retry: few, UndoRetry: few,
		Do: func(ctx context.Context, _ string) (saga.None, error) {
			if s.marks[saga.AttemptOf(ctx).Key] {
				return saga.None{}, saga.Permanent(errors.New("it was undone before it came"))
			}
			return saga.None{}, pay(ctx, 1)
		},
		Undo: func(ctx context.Context, did saga.Did[string, saga.None]) error {
			s.marks[did.Key] = true
			if !s.marks["do"+did.Key] {
				return nil
			}
			return pay(ctx, -1)
		}}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		saga.Each(f, "items", func(v saga.Scope) []string { return in.In(v).Items }, func(f *saga.Flow, it saga.Ref[string]) saga.Ref[saga.None] {
			return saga.Do(f, deposit, it.In)
		})
		return saga.Ref[saga.None]{}
	})
}

func balanceIs(n int) sagatest.Option {
	return sagatest.Completed("the balance is right", func(s *shop) error {
		if got := s.count["balance"]; got != n {
			return fmt.Errorf("it is %d, and %d were paid in", got, n)
		}
		return nil
	})
}

// itemsStand checks that the items which count as done have their rows.
func itemsStand(s *shop) error {
	if s.count["done"] != len(s.left("item")) {
		return fmt.Errorf("%d items are done, and %d rows stand", s.count["done"], len(s.left("item")))
	}
	return nil
}

// eachItem books each item, and goes on without one that fails.
func eachItem(undo func(*shop, saga.Did[string, row])) build {
	return over(func(s *shop) *saga.Saga[order, saga.None] {
		item := &saga.Action[string, row]{Name: "item", Retry: saga.Retry{MaxAttempts: 1}, UndoRetry: few,
			Do: func(ctx context.Context, _ string) (row, error) {
				key := saga.AttemptOf(ctx).Key
				if s.marks[key] {
					return row{}, saga.Permanent(errors.New("it was undone before it came"))
				}
				s.rows["item "+key] = key
				return row{}, nil
			},
			Undo: func(_ context.Context, did saga.Did[string, row]) error {
				s.marks[did.Key] = true
				undo(s, did)
				return nil
			}}
		count := &saga.Action[int, saga.None]{Name: "count", Effect: saga.NoEffect, Retry: few,
			Do: func(_ context.Context, n int) (saga.None, error) { s.count["done"] = n; return saga.None{}, nil }}
		return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
			each := saga.Each(f, "items", func(v saga.Scope) []string { return in.In(v).Items }, func(f *saga.Flow, it saga.Ref[string]) saga.Ref[row] {
				return saga.Do(f, item, it.In)
			}, saga.Tolerate(1))
			saga.Do(f, count, func(v saga.Scope) int { return len(in.In(v).Items) - len(each.Failed(v)) })
			return saga.Ref[saga.None]{}
		})
	})
}

// completedHave is nil if every run that completed has its booking. The gallery's runs are of one
// order, so that there is a booking unless both were undone.
func completedHave(s *shop) error {
	if s.count["undone"] < 2 && len(s.left("booking")) == 0 {
		return errors.New("no booking is left, and a run completed")
	}
	return nil
}

// one2 checks that two runs that completed have two bookings.
func one2(prefix string) sagatest.Option {
	return sagatest.Completed("there are two "+prefix, func(s *shop) error {
		if n := len(s.left(prefix)); n != 2 {
			return fmt.Errorf("there are %d", n)
		}
		return nil
	})
}

// customerAndInvoice makes a customer and an invoice that refers to it: one after the other, or in
// parallel.
func customerAndInvoice(s *shop, inOrder bool) *saga.Saga[order, saga.None] {
	customer, invoice := book(s, "customer"), book(s, "invoice")
	undo := customer.Undo
	customer.Undo = func(ctx context.Context, did saga.Did[order, row]) error {
		if len(s.left("invoice")) > 0 {
			return errors.New("foreign key: an invoice refers to the customer")
		}
		return undo(ctx, did)
	}
	check := &saga.Action[order, saga.None]{Name: "check", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(context.Context, order) (saga.None, error) { return saga.None{}, nil }}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		if inOrder {
			saga.Do(f, customer, in.In)
			saga.Do(f, invoice, in.In)
		} else {
			saga.Parallel(f, func(f *saga.Flow) { saga.Do(f, customer, in.In) }, func(f *saga.Flow) { saga.Do(f, invoice, in.In) })
		}
		saga.Do(f, check, in.In)
		return saga.Ref[saga.None]{}
	})
}

func noLetter(s *shop) error {
	if s.count["letter"] > 0 {
		return errors.New("a letter is in the post")
	}
	return nil
}

// letterAndBooking sends a letter, which nobody can take back, and books: in this order or the
// other.
func letterAndBooking(s *shop, letterFirst bool) *saga.Saga[order, saga.None] {
	letter := &saga.Action[order, saga.None]{Name: "letter", Effect: saga.Irreversible, Retry: few,
		Probe: func(context.Context, order) (saga.Probed[saga.None], error) {
			if s.count["letter"] > 0 {
				return saga.Applied(saga.None{}), nil
			}
			s.marks["letter"] = true
			return saga.NotApplied[saga.None](), nil
		},
		Do: func(context.Context, order) (saga.None, error) {
			if s.marks["letter"] {
				return saga.None{}, saga.Permanent(errors.New("asked before"))
			}
			s.count["letter"] = 1
			return saga.None{}, nil
		}}
	if letterFirst {
		letter.Effect = saga.NoEffect // how it came to be accepted before the booking
	}
	booking := book(s, "booking")
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		if letterFirst {
			saga.Do(f, letter, in.In)
		}
		saga.Do(f, booking, in.In)
		if !letterFirst {
			saga.Do(f, letter, in.In)
		}
		return saga.Ref[saga.None]{}
	})
}

// nextOrder is a program with version 2 of the saga, and version 1 beside it or not.
func nextOrder(both bool) func(*shop, saga.AnySaga) []saga.AnySaga {
	return func(s *shop, v1 saga.AnySaga) []saga.AnySaga {
		v2 := saga.Define("order", 2, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
			saga.Do(f, book(s, "other"), in.In)
			return saga.Ref[saga.None]{}
		})
		if both {
			return []saga.AnySaga{v1, v2}
		}
		return []saga.AnySaga{v2}
	}
}

func soldOnce(s *shop) error {
	if n := len(s.left("sold")); n > 1 {
		return fmt.Errorf("it was sold %d times", n)
	}
	return nil
}

// lastOne looks whether there is one, and takes it in a second step: or does both in one.
func lastOne(s *shop, lookFirst bool) *saga.Saga[order, saga.None] {
	look := &saga.Action[order, bool]{Name: "look", Effect: saga.NoEffect, Retry: few,
		Do: func(context.Context, order) (bool, error) { return len(s.left("sold")) == 0, nil }}
	take := book(s, "sold")
	if !lookFirst {
		do := take.Do
		take.Do = func(ctx context.Context, o order) (row, error) {
			if _, mine := s.rows["sold "+saga.AttemptOf(ctx).Key]; !mine && len(s.left("sold")) > 0 {
				return row{}, saga.Permanent(errors.New("sold out"))
			}
			return do(ctx, o)
		}
	}
	return saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[saga.None] {
		free := saga.Do(f, look, in.In)
		saga.If(f, free.In, func(f *saga.Flow) { saga.Do(f, take, in.In) }, nil)
		return saga.Ref[saga.None]{}
	})
}

func TestGallery(t *testing.T) {
	t.Parallel()
	for name, e := range gallery {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := found(t, e.broken)
			require.NotEmpty(t, got, "it is not found")
			for _, words := range e.finds {
				require.Contains(t, got, words)
			}
			require.Empty(t, found(t, e.mended), "its mended twin is said to be broken")
		})
	}
}

// TestMergingFindsTheSame plays the gallery with states merged and with states kept apart. What
// follows a merged schedule is played all the same, and compared with what followed the other.
func TestMergingFindsTheSame(t *testing.T) {
	t.Parallel()
	for name, e := range gallery {
		for kind, x := range map[string]exploration{"broken": e.broken, "mended": e.mended} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				merged, err := x().Search(explore.Search{Doubt: 1})
				require.NoError(t, err)
				apart, err := x(explore.Apart()).Search(explore.Search{})
				require.NoError(t, err)
				require.Equal(t, apart.Broken, merged.Broken)
				require.Equal(t, tried(apart), tried(merged), "which answers held, broke and were not tried")
				require.Zero(t, apart.Merged)
				if apart.Total() > 1 {
					require.Positive(t, merged.Merged)
				}
				if len(apart.Schedules) > 2 {
					require.Less(t, merged.Total(), apart.Total())
				}
				t.Logf("%d schedules, %d apart; %d states, %d merged", merged.Total(), apart.Total(), merged.States, merged.Merged)
			})
		}
	}
}

// tried is what was answered where, in an order that does not depend on which schedules were
// played.
func tried(r *explore.Result) map[string]explore.Line {
	lines := map[string]explore.Line{}
	for _, l := range r.Answers {
		lines[l.At] = l
	}
	return lines
}
