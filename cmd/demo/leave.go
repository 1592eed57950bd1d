package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// refund is the input of the example saga refund.
type refund struct {
	Order string `json:"order"`
	Euros int    `json:"euros"`
	// Bank is what the bank does at the first attempt: declines, is-busy, or nothing of the sort.
	Bank string `json:"bank,omitempty"`
	// Approve means that a person has to approve first.
	Approve bool `json:"approve,omitempty"`
}

var payBack = &saga.Action[refund, string]{
	Name: "pay-back", Effect: saga.NoEffect, Description: "pretends to pay money back",
	Retry: saga.Retry{MaxAttempts: 5, Initial: 10 * time.Minute, Max: 10 * time.Minute},
	Do: func(ctx context.Context, r refund) (string, error) {
		if saga.AttemptOf(ctx).Number == 1 {
			switch r.Bank {
			case "declines":
				return "", saga.Permanent(errors.New("the bank declines: the card is closed"))
			case "is-busy":
				return "", errors.New("the bank is busy")
			}
		}
		return fmt.Sprintf("%d euros paid back for order %s", r.Euros, r.Order), nil
	},
}

// Refund is the saga of the runs that the demo leaves for people to steer. It changes nothing but
// the log.
var Refund = saga.Define("refund", 1, func(f *saga.Flow, in saga.Ref[refund]) saga.Ref[string] {
	saga.If(f, func(s saga.Scope) bool { return in.In(s).Approve }, func(f *saga.Flow) { saga.Await[bool](f, "approved") }, nil)
	return saga.Do(f, payBack, in.In, saga.OnFail(saga.Ask))
}, saga.Description("An example: the demo leaves runs of it to steer."))

// left are the runs that the demo leaves, by key, and how they stand.
var left = []struct {
	key      string
	input    refund
	paused   bool
	standing explain.Standing
	// lever and about say how a person goes on with it.
	lever, about string
}{
	{"declined", refund{Order: "4711", Euros: 40, Bank: "declines"}, false, explain.Stuck, "retry refund:declined --reason 'the card is open again'", "stuck: the bank declined"},
	{"unapproved", refund{Order: "4712", Euros: 900, Approve: true}, false, explain.Waiting, "signal refund:unapproved approved -d true", "waits for the signal approved"},
	{"stopped", refund{Order: "4713", Euros: 15, Approve: true}, true, explain.Paused, "resume refund:stopped", "paused by a person"},
	{"busy", refund{Order: "4714", Euros: 25, Bank: "is-busy"}, false, explain.Retrying, "why refund:busy", "is tried again in ten minutes"},
}

// leave starts the runs, and returns when each stands as it is to be found.
func (s *show) leave(ctx context.Context) (err error) {
	log, err := pebblelog.Open(logDir(s.Data), pebblelog.Config{Logger: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	// The alert is told here, so that a server on the directory starts quietly.
	told := &heard{heard: make(chan struct{})}
	c, err := saga.New(saga.Config{Log: log, Logger: quiet, Node: "coordinator", Alerts: []saga.AlertSink{saga.LogAlerts{Logger: slog.New(told)}}})
	if err != nil {
		return err
	}
	if err := c.Register(Refund); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	acting := saga.WithActor(ctx, "demo")
	for i := range left {
		run, err := saga.Start(acting, c, Refund, left[i].input, saga.Key(left[i].key))
		if err != nil {
			return err
		}
		if left[i].paused {
			if err := c.Pause(acting, run.ID, "the customer is asked once more"); err != nil {
				return err
			}
		}
		if err := stands(ctx, c, run.ID, left[i].standing); err != nil {
			return err
		}
	}
	select {
	case <-told.heard:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stands waits until a run stands so.
func stands(ctx context.Context, c *saga.Coordinator, run domain.RunID, as explain.Standing) error {
	for {
		why, err := c.Why(ctx, run)
		if err != nil || why.Standing == as {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("run %s is %s, not %s: %w", run, why.Standing, as, ctx.Err())
		}
	}
}

// sayLeft says how to open and steer the runs that are left.
func (s *show) sayLeft() {
	fmt.Fprintf(s.Out, "\nFour runs are left for you. Steer them here, or in a browser:\n")
	for i := range left {
		fmt.Fprintf(s.Out, "  %-32s atone %s --data %s\n", left[i].about, left[i].lever, s.Data)
	}
	fmt.Fprintf(s.Out, "\nLook around:\n  atone runs --data %[1]s\n  atone audit signup:%[2]s --data %[1]s\n  atone serve --data %[1]s\n", s.Data, s.people[0].Key)
}

// heard is a handler of logs that notes that something was logged, and drops it.
type heard struct {
	once  sync.Once
	heard chan struct{}
}

// Enabled implements [slog.Handler].
func (*heard) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (h *heard) Handle(context.Context, slog.Record) error {
	h.once.Do(func() { close(h.heard) })
	return nil
}

// WithAttrs implements [slog.Handler].
func (h *heard) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements [slog.Handler].
func (h *heard) WithGroup(string) slog.Handler { return h }
