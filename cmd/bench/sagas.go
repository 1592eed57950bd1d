package bench

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/atonehq/atone/saga"
)

// form is about 100 bytes of JSON.
type form struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	Plan  string `json:"plan"`
	Note  string `json:"note"`
}

func sampleForm() form {
	return form{Email: "ada.lovelace@example.org", Name: "Ada Lovelace", Plan: "business", Note: strings.Repeat("x", 20)}
}

func echo(_ context.Context, f form) (form, error) { return f, nil }

func forget(context.Context, saga.Did[form, form]) error { return nil }

func step(name string) *saga.Action[form, form] {
	return &saga.Action[form, form]{Name: name, Do: echo, Undo: forget}
}

var (
	createUser  = step("create-user")
	sendWelcome = step("send-welcome-email")
	updateCRM   = step("update-crm")
	rejectCRM   = &saga.Action[form, form]{
		Name:  "reject-crm",
		Do:    func(context.Context, form) (form, error) { return form{}, errors.New("503 service unavailable") },
		Undo:  forget,
		Retry: saga.Retry{MaxAttempts: 3, Initial: time.Millisecond, Max: time.Millisecond, Multiplier: 1, Jitter: saga.JitterNone},
	}
	touch = &saga.Action[int, int]{Name: "touch", Effect: saga.NoEffect, Do: func(_ context.Context, n int) (int, error) { return n, nil }}
)

// signup is three steps one after the other.
var signup = threeSteps("bench-signup", updateCRM)

// failing is the same, but the third step fails for good after three attempts.
var failing = threeSteps("bench-failing", rejectCRM)

func threeSteps(name string, third *saga.Action[form, form]) *saga.Saga[form, form] {
	return saga.Define(name, 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[form] {
		user := saga.Do(f, createUser, in.In)
		mail := saga.Do(f, sendWelcome, user.In)
		return saga.Do(f, third, mail.In)
	})
}

// parallelSteps is how many steps a run of the fan-out has.
const parallelSteps = 100

// fanOut does a hundred steps at once.
var fanOut = saga.Define("bench-fan-out", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
	branches := make([]func(*saga.Flow), parallelSteps)
	for i := range branches {
		branches[i] = func(f *saga.Flow) { saga.Do(f, touch, in.In, saga.Name("touch-"+itoa(i))) }
	}
	saga.Parallel(f, branches...)
	return saga.Compute(f, "sum", in.In)
})

// waiting does a step and then waits for a signal.
var waiting = saga.Define("bench-waiting", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
	n := saga.Do(f, touch, in.In)
	saga.Await[int](f, "go")
	return saga.Do(f, touch, n.In, saga.Name("touch-again"))
})
