// Package typed uses saga with wrong types: each line marked as wrong must not compile.
package typed

import (
	"context"
	"time"

	"github.com/atonehq/atone/saga"
)

type user struct{ ID string }

var (
	create = &saga.Action[string, user]{Name: "create", Effect: saga.NoEffect}
	child  = saga.Define("child", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[user] { return saga.Ref[user]{} })
	flip   = &saga.Action[saga.PlannerIn[int], saga.Steps[user]]{Name: "flip", Effect: saga.NoEffect}
	tell   = &saga.Action[saga.Failed, saga.None]{Name: "tell", Effect: saga.NoEffect, OnFailure: create}         // wrong
	undo   = &saga.Action[string, user]{Undo: func(context.Context, saga.Did[user, string]) error { return nil }} // wrong
)

var _ = saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[string] {
	saga.Do(f, create, in.In)                                          // wrong
	saga.Do(f, create, func(v saga.Scope) int { return 1 })            // wrong
	saga.Child(f, child, func(v saga.Scope) string { return "" })      // wrong
	saga.Plan(f, "p", flip, func(v saga.Scope) string { return "" })   // wrong
	saga.Plan(f, "p", create, func(v saga.Scope) string { return "" }) // wrong
	saga.Sleep(f, 5)                                                   // wrong
	saga.Sleep(f, func(v saga.Scope) time.Time { return time.Now() })  // wrong
	saga.If(f, in.In, nil, nil)                                        // wrong
	saga.Switch(f, in.In)                                              // wrong
	saga.Next(create, 1)                                               // wrong
	saga.Pivot(f, saga.Within(1))                                      // wrong
	saga.Sleep(f, time.Second, saga.WithRetry(saga.Retry{}))           // wrong
	saga.ParallelWith(f, []saga.ParallelOption{saga.OnFail("")})       // wrong
	saga.Await[int](f, "a", saga.MaxRounds(1))                         // wrong
	saga.If(f, nil, nil, nil, saga.OnFail(saga.Ignore))                // wrong
	saga.Switch(f, nil, saga.OnFail(saga.Ignore))                      // wrong
	u := saga.Do(f, create, func(v saga.Scope) string { return "x" })
	saga.Do(f, create, func(v saga.Scope) string { return "" }, saga.Tolerate(1))    // wrong
	saga.Do(f, create, func(v saga.Scope) string { return "" }, saga.Concurrency(1)) // wrong
	saga.Each(f, "e", func(v saga.Scope) []user { return nil },
		func(f *saga.Flow, item saga.Ref[user]) saga.Ref[user] { return item }, saga.OnFail(saga.Ignore)) // wrong
	saga.Choose(f, "c", func(v saga.Scope) string { return "" },
		saga.On("a", func(f *saga.Flow) saga.Ref[int] { return in }),
		saga.On("b", func(f *saga.Flow) saga.Ref[user] { return u })) // wrong
	saga.Each(f, "e", func(v saga.Scope) []int { return nil },
		func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] { return item }) // wrong
	saga.Each(f, "e", u.In, // wrong
		func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] { return item })
	var n int = saga.Await[string](f, "a").In(saga.Scope{}) // wrong
	_ = n
	return u // wrong
}, saga.OnFailure(create)) // wrong
