package main

import (
	"context"
	"fmt"
	"time"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

// The example sagas of the atone command. They change nothing but the log; their outputs say what a
// real saga would have done. Your own program has its own sagas (see cmd/signup).

// orderForm is the input of the example saga order.
type orderForm struct {
	Item string `json:"item"`
	// Card is redacted wherever it is shown.
	Card string `json:"card" atone:"secret"`
	// FailAt names the step that fails: reserve-stock, charge-card or send-parcel.
	FailAt string `json:"fail_at,omitempty"`
	// Fragile makes the undo of charge-card fail, so that the run gets stuck.
	Fragile bool `json:"fragile,omitempty"`
}

type orderStep struct {
	Reference string `json:"reference"`
}

var exampleRetry = saga.Retry{MaxAttempts: 3, Initial: 200 * time.Millisecond}

func orderAction(name string) *saga.Action[orderForm, orderStep] {
	return &saga.Action[orderForm, orderStep]{
		Name: name, Retry: exampleRetry, UndoRetry: exampleRetry,
		Description: "pretends to " + name,
		Do: func(ctx context.Context, o orderForm) (orderStep, error) {
			if o.FailAt == name {
				return orderStep{}, fmt.Errorf("%s fails because the input asks for it", name)
			}
			return orderStep{Reference: name + " of " + o.Item}, nil
		},
		Undo: func(_ context.Context, did saga.Did[orderForm, orderStep]) error {
			if did.Input.Fragile && name == "charge-card" {
				return fmt.Errorf("the undo of %s fails because the input asks for it", name)
			}
			return nil
		},
	}
}

var hello = &saga.Action[string, string]{
	Name: "hello", Effect: saga.NoEffect, Description: "greets by name",
	Do: func(_ context.Context, name string) (string, error) { return "hello, " + name, nil },
}

// order shows a completed run, and with fail_at and fragile one that is undone and one that is
// stuck.
var order = saga.Define("order", 1, func(f *saga.Flow, in saga.Ref[orderForm]) saga.Ref[orderStep] {
	saga.Do(f, orderAction("reserve-stock"), in.In)
	saga.Do(f, orderAction("charge-card"), in.In)
	return saga.Do(f, orderAction("send-parcel"), in.In)
}, saga.Description("An example: fail_at and fragile in the input make it fail and get stuck."))

// exploration plays orders, whose world is as empty as their actions are.
var exploration = explore.Of(func(*explore.Edges) (struct{}, *saga.Saga[orderForm, orderStep]) {
	return struct{}{}, order
}, orderForm{Item: "book", Card: "4111"}, explore.Without(explore.Late, explore.Stray))

// approval waits for a person: signal it with "approved" and true or false.
var approval = saga.Define("approval", 1, func(f *saga.Flow, in saga.Ref[orderForm]) saga.Ref[bool] {
	saga.Do(f, orderAction("hold-item"), in.In)
	return saga.Await[bool](f, "approved", saga.Within(24*time.Hour), saga.DefaultTo(false))
}, saga.Description("An example: it waits for the signal approved."))
