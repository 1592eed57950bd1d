package saga_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga"
)

type (
	orderForm struct {
		Email string   `json:"email" atone:"secret"`
		Items []string `json:"items"`
		Total int      `json:"total"`
	}
	shopCharge struct {
		Card   string `json:"card"`
		Amount int    `json:"amount"`
	}
	shopReceipt struct {
		ID string `json:"id" atone:"search"`
	}
)

var (
	chargeCard = &saga.Action[shopCharge, shopReceipt]{
		Name: "charge-card",
		Do: func(ctx context.Context, in shopCharge) (shopReceipt, error) {
			return shopReceipt{ID: "r-" + in.Card}, nil
		},
		Undo:    func(ctx context.Context, did saga.Did[shopCharge, shopReceipt]) error { return nil },
		Retry:   saga.Retry{MaxAttempts: 5, Initial: 200 * time.Millisecond},
		Timeout: 10 * time.Second,
	}
	packItem = &saga.Action[string, string]{
		Name: "pack-item",
		Do:   func(ctx context.Context, sku string) (string, error) { return "label-" + sku, nil },
		Undo: func(ctx context.Context, did saga.Did[string, string]) error { return nil },
	}
	sendParcel = &saga.Action[[]string, saga.None]{
		Name:   "send-parcel",
		Effect: saga.Irreversible,
		Do:     func(ctx context.Context, labels []string) (saga.None, error) { return saga.None{}, nil },
		// When an answer was lost.
		Probe: func(ctx context.Context, labels []string) (saga.Probed[saga.None], error) {
			return saga.Applied(saga.None{}), nil
		},
	}
	sendMail = &saga.Action[string, saga.None]{
		Name:   "send-mail",
		Effect: saga.Irreversible,
		Do:     func(ctx context.Context, to string) (saga.None, error) { return saga.None{}, nil },
	}
	checkStock = &saga.Action[[]string, bool]{
		Name:   "check-stock",
		Effect: saga.NoEffect,
		Do:     func(ctx context.Context, skus []string) (bool, error) { return true, nil },
	}
	tellSupport = &saga.Action[saga.Failed, saga.None]{
		Name:   "tell-support",
		Effect: saga.NoEffect,
		Do: func(ctx context.Context, f saga.Failed) (saga.None, error) {
			fmt.Println(f.Saga, "failed at", f.Cause.Step, "left", f.NotUndone)
			return saga.None{}, nil
		},
	}
)

func ExampleDefine() {
	order := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[shopReceipt] {
		paid := saga.Do(f, chargeCard, func(v saga.Scope) shopCharge {
			return shopCharge{Card: "42", Amount: form.In(v).Total}
		})
		saga.Do(f, sendParcel, func(v saga.Scope) []string { return form.In(v).Items })
		return paid
	}, saga.Deadline(time.Hour), saga.OnFailure(tellSupport))

	plan, err := order.Plan()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range plan.Root.Children {
		fmt.Println(n.Name, n.Action.Effect)
	}
	fmt.Println("output of", plan.Root.Result, "- secret:", plan.Secret, "- searchable:", plan.Searchable)
	// Output:
	// charge-card undo
	// send-parcel irreversible
	// output of charge-card - secret: [email] - searchable: [id]
}

// A definition tells everything that is wrong with it at once.
func ExampleSaga_Err() {
	order := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[shopReceipt] {
		var labels saga.Ref[[]string]
		saga.Do(f, sendParcel, func(v saga.Scope) []string { return labels.In(v) })
		labels = saga.Compute(f, "labels", func(v saga.Scope) []string { return form.In(v).Items })
		return saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
	})
	fmt.Println(order.Err())
	// Output:
	// saga "order" v1: send-parcel: reads labels, which comes after it
	// saga "order" v1: charge-card: send-parcel → charge-card: send-parcel is irreversible, and a failure would leave its effect behind; make charge-card Forward, move it before send-parcel, give send-parcel an Undo, or accept with AcceptIrreversible(reason) on send-parcel that its effect may be left
}

func ExampleSaga_Mermaid() {
	order := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[bool] {
		return saga.Do(f, checkStock, func(v saga.Scope) []string { return form.In(v).Items })
	})
	fmt.Print(order.Mermaid())
	// Output:
	// flowchart TD
	//   start(["order v1"])
	//   n1["check-stock"]
	//   start --> n1
	//   finish(["completed"])
	//   n1 --> finish
}

func ExampleParallel() {
	prepare := saga.Define("prepare", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[string] {
		var receipt saga.Ref[shopReceipt]
		var inStock saga.Ref[bool]
		saga.Parallel(f,
			func(f *saga.Flow) {
				receipt = saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
			},
			func(f *saga.Flow) {
				inStock = saga.Do(f, checkStock, func(v saga.Scope) []string { return form.In(v).Items })
			},
		)
		return saga.Return(f, func(v saga.Scope) string { return fmt.Sprint(receipt.In(v).ID, inStock.In(v)) })
	})
	fmt.Print(prepare.Mermaid())
	// Output:
	// flowchart TD
	//   start(["prepare v1"])
	//   n1[/"parallel-1"\]
	//   start --> n1
	//   n2["charge-card ↩"]
	//   n1 --> n2
	//   n3["check-stock"]
	//   n1 --> n3
	//   finish(["completed"])
	//   n2 --> finish
	//   n3 --> finish
}

func ExampleParallelWith() {
	s := saga.Define("pack-two", 1, func(f *saga.Flow, sku saga.Ref[string]) saga.Ref[saga.None] {
		saga.ParallelWith(f, []saga.ParallelOption{saga.Name("pack"), saga.Concurrency(1)},
			func(f *saga.Flow) { saga.Do(f, packItem, sku.In, saga.Name("first")) },
			func(f *saga.Flow) { saga.Do(f, packItem, sku.In, saga.Name("second")) },
		)
		return saga.Ref[saga.None]{}
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Name, plan.Root.Children[0].Concurrency, err)
	// Output: pack 1 <nil>
}

// Up to four items are packed at once; up to two may fail, and are undone by themselves.
func ExampleEach() {
	ship := saga.Define("ship", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[int] {
		labels := saga.Each(f, "pack", func(v saga.Scope) []string { return form.In(v).Items },
			func(f *saga.Flow, sku saga.Ref[string]) saga.Ref[string] { return saga.Do(f, packItem, sku.In) },
			saga.Concurrency(4), saga.Tolerate(2))
		saga.Do(f, sendParcel, labels.In)
		return saga.Return(f, func(v saga.Scope) int { return len(labels.In(v)) - len(labels.Failed(v)) })
	})
	plan, err := ship.Plan()
	if err != nil {
		fmt.Println(err)
		return
	}
	each := plan.Root.Children[0]
	fmt.Println(each.Key, each.Concurrency, each.Tolerate, each.Children[0].Children[0].Key)
	// Output: pack 4 2 pack/*/pack-item
}

func ExampleIf() {
	s := saga.Define("maybe", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[orderForm] {
		saga.If(f, func(v saga.Scope) bool { return form.In(v).Total > 0 },
			func(f *saga.Flow) {
				saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
			}, nil)
		return form
	})
	fmt.Print(s.Mermaid())
	// Output:
	// flowchart TD
	//   start(["maybe v1"])
	//   n1{"if-1"}
	//   start --> n1
	//   n2["charge-card ↩"]
	//   n1 -->|"then"| n2
	//   finish(["completed"])
	//   n2 --> finish
	//   n1 -->|"else"| finish
}

func ExampleSwitch() {
	s := saga.Define("route", 1, func(f *saga.Flow, by saga.Ref[string]) saga.Ref[string] {
		saga.Switch(f, by.In, saga.Name("by"),
			saga.When("air", func(f *saga.Flow) { saga.Do(f, packItem, by.In, saga.Name("pack-light")) }),
			saga.Otherwise(func(f *saga.Flow) { saga.Do(f, packItem, by.In) }),
		)
		return by
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Name, plan.Root.Children[0].Cases, err)
	// Output: by [air otherwise] <nil>
}

// A branch's steps can't be read outside it; Choose brings a value out.
func ExampleChoose() {
	s := saga.Define("label", 1, func(f *saga.Flow, by saga.Ref[string]) saga.Ref[string] {
		label := saga.Choose(f, "label", by.In,
			saga.On("air", func(f *saga.Flow) saga.Ref[string] { return saga.Do(f, packItem, by.In) }),
			saga.Else(func(f *saga.Flow) saga.Ref[string] {
				return saga.Return(f, func(v saga.Scope) string { return "surface mail" })
			}),
		)
		return saga.Return(f, func(v saga.Scope) string { return label.In(v) + "!" })
	})
	fmt.Println(s.Err())
	// Output: <nil>
}

func ExampleSleep() {
	s := saga.Define("remind", 1, func(f *saga.Flow, to saga.Ref[string]) saga.Ref[saga.None] {
		saga.Sleep(f, 24*time.Hour)
		saga.Sleep(f, func(v saga.Scope) time.Duration { return time.Duration(len(to.In(v))) * time.Second })
		saga.SleepUntil(f, func(saga.Scope) time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) })
		return saga.Do(f, sendMail, to.In, saga.OnFail(saga.Forward))
	})
	plan, err := s.Plan()
	for _, n := range plan.Root.Children {
		fmt.Print(n.Name, " ")
	}
	fmt.Println(err)
	// Output: sleep-1 sleep-2 sleep-3 send-mail <nil>
}

func ExampleAwait() {
	s := saga.Define("approval", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[bool] {
		return saga.Await[bool](f, "approve", saga.Within(48*time.Hour), saga.DefaultTo(false))
	})
	plan, err := s.Plan()
	wait := plan.Root.Children[0].Await
	fmt.Println(wait.Signal, time.Duration(wait.Timeout), string(wait.Default), err)
	// Output: approve 48h0m0s false <nil>
}

func ExampleAwaitEvent() {
	s := saga.Define("until-paid", 1, func(f *saga.Flow, orderID saga.Ref[string]) saga.Ref[shopReceipt] {
		return saga.AwaitEvent[shopReceipt](f, "invoice.paid", orderID.In, saga.Name("payment"), saga.OnFail(saga.Ask), saga.Within(time.Hour))
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Name, plan.Root.Children[0].Await.Event, plan.Root.Children[0].Rule, err)
	// Output: payment invoice.paid ask <nil>
}

func ExampleChild() {
	pay := saga.Define("pay", 1, func(f *saga.Flow, c saga.Ref[shopCharge]) saga.Ref[shopReceipt] {
		return saga.Do(f, chargeCard, c.In)
	})
	order := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[shopReceipt] {
		return saga.Child(f, pay, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
	})
	plan, err := order.Plan()
	fmt.Println(plan.Root.Children[0].Saga, plan.Root.Children[0].Version, err)
	// Output: pay 1 <nil>
}

// After the pivot steps only go forward: they are retried, and the run is stuck where that
// does not help.
func ExamplePivot() {
	s := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[saga.None] {
		saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
		saga.Pivot(f)
		saga.Do(f, sendParcel, func(v saga.Scope) []string { return form.In(v).Items })
		return saga.Do(f, sendMail, func(v saga.Scope) string { return form.In(v).Email })
	})
	plan, err := s.Plan()
	for _, n := range plan.Root.Children {
		fmt.Println(n.Name, n.Rule)
	}
	fmt.Println(err)
	// Output:
	// charge-card backward
	// pivot-1 backward
	// send-parcel forward
	// send-mail forward
	// <nil>
}

// A newsletter may be left behind when the run turns back: the plan records that, and why.
func ExampleAcceptIrreversible() {
	s := saga.Define("signup", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[shopReceipt] {
		saga.Do(f, sendMail, func(v saga.Scope) string { return form.In(v).Email }, saga.AcceptIrreversible("a greeting does no harm"))
		return saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{Amount: form.In(v).Total} })
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Accepted, err)
	// Output: a greeting does no harm <nil>
}

// When the provider's answer is lost, nobody can ask it whether the letter went out. The run is
// then stuck until a person has found out, and the author says that this is as good as it gets.
func ExampleAcceptDoubt() {
	s := saga.Define("dunning", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[saga.None] {
		return saga.Do(f, sendMail, func(v saga.Scope) string { return form.In(v).Email }, saga.AcceptDoubt("the provider has no list of what it sent"))
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Doubt, err)
	// Output: the provider has no list of what it sent <nil>
}

func ExampleOnFail() {
	s := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[string] {
		stock := saga.Do(f, checkStock, func(v saga.Scope) []string { return form.In(v).Items }, saga.OnFail(saga.Ignore))
		return saga.Return(f, func(v saga.Scope) string {
			if !stock.Ok(v) {
				return "stock unknown"
			}
			return fmt.Sprint("in stock: ", stock.In(v))
		})
	})
	plan, err := s.Plan()
	fmt.Println(plan.Root.Children[0].Rule, err)
	// Output: ignore <nil>
}

func ExampleWithRetry() {
	s := saga.Define("patient", 1, func(f *saga.Flow, sku saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, packItem, sku.In,
			saga.WithRetry(saga.Retry{MaxAttempts: saga.Unlimited, MaxElapsed: time.Hour}), saga.WithTimeout(5*time.Second))
	})
	plan, err := s.Plan()
	action := plan.Root.Children[0].Action
	fmt.Println(action.Retry.MaxAttempts, time.Duration(action.Retry.MaxElapsed), time.Duration(action.Timeout), err)
	// Output: -1 1h0m0s 5s <nil>
}

// A run above the limit is refused and undone; the others go on.
func ExampleReject() {
	s := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[shopReceipt] {
		saga.If(f, func(v saga.Scope) bool { return form.In(v).Total > 1000 }, func(f *saga.Flow) {
			saga.Reject(f, func(v saga.Scope) string { return fmt.Sprintf("%d is above the limit", form.In(v).Total) })
		}, nil)
		return saga.Do(f, chargeCard, func(v saga.Scope) shopCharge { return shopCharge{"visa", form.In(v).Total} })
	})
	c, stop := running(saga.Config{}, s)
	defer stop()
	for _, total := range []int{50, 5000} {
		run, err := saga.Start(context.Background(), c, s, orderForm{Total: total})
		if err != nil {
			panic(err)
		}
		receipt, err := run.Wait(context.Background())
		if back := (*saga.CompensatedError)(nil); errors.As(err, &back) {
			fmt.Println("refused:", back.Cause.Message)
			continue
		}
		fmt.Println(receipt.ID, err)
	}
	// Output:
	// r-visa <nil>
	// refused: 5000 is above the limit
}

// A child run has the labels of its parent, unless it is told otherwise.
func ExampleWithoutLabels() {
	pack := saga.Define("pack", 1, func(f *saga.Flow, sku saga.Ref[string]) saga.Ref[string] { return saga.Do(f, packItem, sku.In) })
	order := saga.Define("order", 1, func(f *saga.Flow, sku saga.Ref[string]) saga.Ref[string] {
		saga.Child(f, pack, sku.In, saga.Name("labelled"))
		return saga.Child(f, pack, sku.In, saga.Name("plain"), saga.WithoutLabels())
	})
	c, stop := running(saga.Config{}, order)
	defer stop()
	ctx := context.Background()
	run, err := saga.Start(ctx, c, order, "a", saga.Labels(map[string]string{"customer": "ada"}))
	if err != nil {
		panic(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		panic(err)
	}
	for _, step := range []string{"labelled", "plain"} {
		child, err := c.Describe(ctx, domain.ChildRunID(run.ID, step))
		fmt.Println(step, child.Labels, err)
	}
	// Output:
	// labelled map[customer:ada] <nil>
	// plain map[] <nil>
}

// A planner packs one item a round until nothing is left.
func ExamplePlan() {
	packer := &saga.Action[saga.PlannerIn[[]string], saga.Steps[int]]{
		Name:   "packer",
		Effect: saga.NoEffect,
		Do: func(ctx context.Context, in saga.PlannerIn[[]string]) (saga.Steps[int], error) {
			packed := 0 // in the rounds before
			if err := in.DecodeCarry(&packed); err != nil {
				return saga.Steps[int]{}, err
			}
			packed += len(in.Results)
			if packed == len(in.Input) {
				return saga.Steps[int]{Done: true, Output: packed}, nil
			}
			return saga.Steps[int]{Do: []saga.NextStep{saga.Next(packItem, in.Input[packed])}, Carry: packed}, nil
		},
	}
	s := saga.Define("pack-all", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[int] {
		return saga.Plan(f, "pack", packer, func(v saga.Scope) []string { return form.In(v).Items },
			saga.Uses(packItem), saga.MaxRounds(50))
	})
	fmt.Print(s.Mermaid())
	// Output:
	// flowchart TD
	//   start(["pack-all v1"])
	//   n1[\"pack<br/>packer<br/>planned at run time, 50 rounds at most"/]
	//   start --> n1
	//   finish(["completed"])
	//   n1 --> finish
}

func ExampleSaga_Mermaid_coloured() {
	s := saga.Define("order", 1, func(f *saga.Flow, form saga.Ref[orderForm]) saga.Ref[bool] {
		return saga.Do(f, checkStock, func(v saga.Scope) []string { return form.In(v).Items })
	})
	plan, err := s.Plan()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(diagram.MermaidColoured(plan, map[string]string{"check-stock": "done"}))
	// Output:
	// flowchart TD
	//   start(["order v1"])
	//   n1["check-stock"]
	//   start --> n1
	//   finish(["completed"])
	//   n1 --> finish
	//   classDef done fill:#dcfce7,stroke:#16a34a,color:#14532d
	//   class n1 done
}
