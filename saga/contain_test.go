package saga_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/queue"
)

// misdeeds are the ways in which code may fail to return. What hangs is let go when the test ends.
func misdeeds(t *testing.T) map[string]func() {
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	return map[string]func(){
		"panic": func() { panic("misdeed") },
		"exit":  runtime.Goexit,
		"hang":  func() { <-held },
	}
}

var kindsOfMisdeeds = []string{"panic", "exit", "hang"}

// badObserver misbehaves before or after an attempt.
type badObserver struct{ began, ended func() }

func (o badObserver) AttemptBegan(ctx context.Context, _ saga.Attempt) context.Context {
	o.began()
	return ctx
}

func (o badObserver) AttemptEnded(context.Context, saga.Attempt, time.Duration, *domain.Failure) {
	o.ended()
}

// TestAnObserverThatMisbehavesHurtsNoAttempt: every handler is called once, and every outcome is
// recorded.
func TestAnObserverThatMisbehavesHurtsNoAttempt(t *testing.T) {
	t.Parallel()
	for _, kind := range kindsOfMisdeeds {
		for _, when := range []string{"began", "ended"} {
			t.Run(kind+" "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, memlog.New())
					o := badObserver{func() {}, func() {}}
					if bad := misdeeds(t)[kind]; when == "began" {
						o.began = bad
					} else {
						o.ended = bad
					}
					s := chain("watched", r.act("a"), r.act("b"))
					r.fails("b", saga.Permanent(errModel))
					c := begin(t, r.log, saga.Config{Observer: o}, s)
					for range 3 {
						_, err := finished(t, start(t, c, s, ""))
						if err != nil {
							require.ErrorAs(t, err, new(*saga.CompensatedError))
						}
					}
					require.Equal(t, []string{"a", "b", "undo a", "a", "b", "a", "b"}, r.called())
				})
			})
		}
	}
}

// TestMiddlewareThatMisbehavesHurtsOneAttempt: a handler is not called for an attempt of which the
// middleware made nothing, which is retried; and is not called again for one whose outcome is
// recorded.
func TestMiddlewareThatMisbehavesHurtsOneAttempt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after func()
		fails         error
		attempts      int
	}{
		"panic before": {before: func() { panic("misdeed") }, attempts: 2},
		"exit before":  {before: runtime.Goexit, attempts: 2},
		"panic after":  {after: func() { panic("misdeed") }, attempts: 1},
		"exit after":   {after: runtime.Goexit, attempts: 1},
		"error after":  {fails: errModel, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, memlog.New())
				var once atomic.Bool
				middleware := func(next message.HandlerFunc) message.HandlerFunc {
					return func(m *message.Message) ([]*message.Message, error) {
						bad := once.CompareAndSwap(false, true)
						if bad && test.before != nil {
							test.before()
						}
						out, err := next(m)
						if bad && test.after != nil {
							test.after()
						}
						if bad && test.fails != nil {
							return out, test.fails
						}
						return out, err
					}
				}
				a := r.act("a")
				a.Concurrency = 1
				s := chain("wrapped", a)
				c := begin(t, r.log, saga.Config{Middleware: []message.HandlerMiddleware{middleware}}, s)
				for range 3 {
					run := start(t, c, s, "")
					_, err := finished(t, run)
					require.NoError(t, err)
					require.Len(t, r.events(run.ID, "attempt.started"), test.attempts)
					test.attempts = 1
				}
				require.Equal(t, []string{"a", "a", "a"}, r.called())
			})
		})
	}
}

// TestMiddlewareThatCannotBeAppliedIsAnErrorOfRun says which one it is.
func TestMiddlewareThatCannotBeAppliedIsAnErrorOfRun(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]message.HandlerMiddleware{
		"ends its goroutine": func(message.HandlerFunc) message.HandlerFunc { runtime.Goexit(); return nil },
		"nil":                nil,
		"panics":             func(message.HandlerFunc) message.HandlerFunc { panic("misdeed") },
		"returns no handler": func(message.HandlerFunc) message.HandlerFunc { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, memlog.New())
			c, err := saga.New(saga.Config{Log: r.log, Middleware: []message.HandlerMiddleware{m}})
			require.NoError(t, err)
			require.NoError(t, c.Register(chain("s", r.act("a"))))
			require.ErrorContains(t, c.Run(t.Context()), "middleware 0")
		})
	}
}

// TestHandlerThatEndsItsGoroutineIsInDoubt holds no place, is retried or undone, and others go on.
func TestHandlerThatEndsItsGoroutineIsInDoubt(t *testing.T) {
	onEveryLog(t, func(r *rig) {
		a := r.act("a")
		a.Concurrency = 1
		var bad atomic.Int32
		do, undo := a.Do, a.Undo
		a.Do = func(ctx context.Context, in string) (string, error) {
			out, err := do(ctx, in)
			if bad.Add(1) == 1 {
				runtime.Goexit()
			}
			return out, err
		}
		var undone atomic.Int32
		a.Undo = func(ctx context.Context, did saga.Did[string, string]) error {
			if undone.Add(1) == 1 {
				runtime.Goexit()
			}
			return undo(ctx, did)
		}
		r.fails("b", saga.Permanent(errModel))
		s := chain("exits", a, r.act("b"))
		c := r.begin(saga.Config{}, s)
		first := start(r.t, c, s, "")
		_, err := finished(r.t, first)
		require.ErrorAs(r.t, err, new(*saga.CompensatedError))
		require.Equal(r.t, []string{"a", "a", "b", "undo a"}, r.called())
		require.True(r.t, r.facts(first.ID)[2].Event.(*domain.AttemptFailed).Cause.InDoubt)
		_, err = finished(r.t, start(r.t, c, s, ""))
		require.NoError(r.t, err, "the place of the action is free")
	})
}

// TestSagasCodeThatDoesNotReturnFailsItsStep calls Wait, Describe and Cancel of a run whose
// closures misbehave.
func TestSagasCodeThatDoesNotReturnFailsItsStep(t *testing.T) {
	t.Parallel()
	closures := map[string]func(f *saga.Flow, in saga.Ref[string], a *saga.Action[string, string], bad func()) saga.Ref[string]{
		"input": func(f *saga.Flow, in saga.Ref[string], a *saga.Action[string, string], bad func()) saga.Ref[string] {
			return saga.Do(f, a, func(v saga.Scope) string { bad(); return in.In(v) }, saga.Name("bad"))
		},
		"switch": func(f *saga.Flow, in saga.Ref[string], a *saga.Action[string, string], bad func()) saga.Ref[string] {
			saga.Switch(f, func(v saga.Scope) string { bad(); return in.In(v) }, saga.Otherwise(func(f *saga.Flow) { saga.Do(f, a, in.In) }))
			return in
		},
		"each": func(f *saga.Flow, in saga.Ref[string], a *saga.Action[string, string], bad func()) saga.Ref[string] {
			saga.Each(f, "each", func(v saga.Scope) []string { bad(); return []string{in.In(v)} }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] { return saga.Do(f, a, item.In) })
			return in
		},
		"sleep": func(f *saga.Flow, in saga.Ref[string], _ *saga.Action[string, string], bad func()) saga.Ref[string] {
			saga.SleepUntil(f, func(v saga.Scope) time.Time { bad(); in.In(v); return time.Time{} })
			return in
		},
		"correlation": func(f *saga.Flow, in saga.Ref[string], _ *saga.Action[string, string], bad func()) saga.Ref[string] {
			saga.AwaitEvent[string](f, "paid", func(v saga.Scope) string { bad(); return in.In(v) })
			return in
		},
		"return": func(f *saga.Flow, in saga.Ref[string], _ *saga.Action[string, string], bad func()) saga.Ref[string] {
			return saga.Return(f, func(v saga.Scope) string { bad(); return in.In(v) })
		},
	}
	for closure, plan := range closures {
		for _, kind := range kindsOfMisdeeds {
			t.Run(closure+" "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, memlog.New())
					bad := misdeeds(t)[kind]
					var on atomic.Bool // definitions try their code once
					var once sync.Once
					reached := make(chan struct{})
					s := saga.Define("s", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
						in = saga.Do(f, r.act("a"), in.In)
						return plan(f, in, r.act("b"), func() {
							if on.Load() {
								once.Do(func() { close(reached) })
								bad()
							}
						})
					})
					c := begin(t, r.log, saga.Config{}, s)
					on.Store(true)
					run := start(t, c, s, "")
					<-reached
					var all sync.WaitGroup
					all.Go(func() { _, _ = c.Describe(t.Context(), run.ID) })
					all.Go(func() { _ = c.Cancel(t.Context(), run.ID, "test") })
					_, err := finished(t, run)
					require.Error(t, err)
					all.Wait()
					require.Equal(t, []string{"a", "undo a"}, r.called())
					r.checkStreams()
				})
			})
		}
	}
}

// exitsReading is a type whose decoding ends the goroutine.
type exitsReading struct{}

func (*exitsReading) UnmarshalJSON(b []byte) error {
	if string(b) == `"bad"` {
		runtime.Goexit()
	}
	return nil
}

// TestTypesThatMisbehaveAreBadInput: the code that decodes a start's input or a signal's payload is
// an author's too.
func TestTypesThatMisbehaveAreBadInput(t *testing.T) {
	t.Parallel()
	r := newRig(t, memlog.New())
	a := r.act("a")
	s := saga.Define("picky", 1, func(f *saga.Flow, _ saga.Ref[exitsReading]) saga.Ref[string] {
		saga.Await[exitsReading](f, "go")
		return saga.Do(f, a, func(saga.Scope) string { return "" })
	})
	c := begin(t, r.log, saga.Config{}, s)
	_, err := c.StartByName(t.Context(), "picky", 1, []byte(`"bad"`))
	require.ErrorIs(t, err, saga.ErrBadInput)
	id, err := c.StartByName(t.Context(), "picky", 1, []byte(`"good"`))
	require.NoError(t, err)
	require.ErrorIs(t, c.Signal(t.Context(), id, "go", "bad"), saga.ErrBadInput)
	require.NoError(t, c.Signal(t.Context(), id, "go", "good"))
	_, err = c.Wait(t.Context(), id)
	require.NoError(t, err)
}

// brokenBroker is a broker that fails to subscribe to a topic, or hangs there.
type brokenBroker struct {
	message.Subscriber
	topic string
	bad   func() error
}

func (b brokenBroker) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if topic == b.topic {
		return nil, b.bad()
	}
	return b.Subscriber.Subscribe(ctx, topic)
}

var errBroker = errors.New("no such exchange")

var quiet = slog.New(slog.DiscardHandler)

// TestASubscribeThatFailsIsTheErrorOfRun: Run of a coordinator, and of a worker, returns it at once
// and has then ended what it began; goleak sees to that. One that hangs is left when Run is to end.
func TestASubscribeThatFailsIsTheErrorOfRun(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	for name, bad := range map[string]func(chan<- struct{}) error{
		"fails":  func(chan<- struct{}) error { return errBroker },
		"panics": func(chan<- struct{}) error { panic("misdeed") },
		"hangs":  func(hangs chan<- struct{}) error { hangs <- struct{}{}; <-held; return errBroker },
	} {
		for _, topic := range []string{saga.OutcomesTopic(""), saga.ActionTopic("", "a"), saga.ActionTopic("", "b")} {
			t.Run(name+" "+topic, func(t *testing.T) {
				t.Parallel()
				broker, err := queue.New(queue.Config{})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, broker.Close()) })
				hangs := make(chan struct{}, 2)
				sub := brokenBroker{broker.Group(""), topic, func() error { return bad(hangs) }}
				r := newRig(t, memlog.New())
				s := chain("s", r.act("a"), r.act("b"))
				c, err := saga.New(saga.Config{Log: r.log, Publisher: broker.Publisher(), Subscriber: sub, Logger: quiet})
				require.NoError(t, err)
				require.NoError(t, c.Register(s))
				w, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Publisher: broker.Publisher(), Subscriber: sub, Logger: quiet})
				require.NoError(t, err)
				for who, run := range map[string]func(context.Context) error{"coordinator": c.Run, "worker": w.Run} {
					if who == "worker" && topic == saga.OutcomesTopic("") {
						continue
					}
					ctx, stop := context.WithCancel(t.Context())
					ended := make(chan error, 1)
					go func() { ended <- run(ctx) }()
					if name == "hangs" {
						<-hangs
						stop()
						require.NoError(t, <-ended, who)
					} else {
						require.ErrorContains(t, <-ended, topic, who)
					}
					stop()
				}
			})
		}
	}
}

// endingBroker is a broker that ends a subscription when it is told to.
type endingBroker struct {
	message.Subscriber
	topic string
	end   chan struct{}
}

func (b endingBroker) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	if topic == b.topic {
		go func() { defer cancel(); <-b.end }()
	} else {
		context.AfterFunc(ctx, cancel)
	}
	return b.Subscriber.Subscribe(ctx, topic)
}

// TestASubscriptionThatEndsByItselfIsTheErrorOfRun: nobody would take that action's attempts any
// more.
func TestASubscriptionThatEndsByItselfIsTheErrorOfRun(t *testing.T) {
	t.Parallel()
	broker, err := queue.New(queue.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	sub := endingBroker{broker.Group(""), saga.ActionTopic("", "b"), make(chan struct{})}
	r := newRig(t, memlog.New())
	s := chain("s", r.act("a"), r.act("b"))
	c, err := saga.New(saga.Config{Log: r.log, Publisher: broker.Publisher(), Subscriber: sub, Logger: quiet})
	require.NoError(t, err)
	require.NoError(t, c.Register(s))
	ended := make(chan error, 1)
	go func() { ended <- c.Run(t.Context()) }()
	<-c.Ready()
	close(sub.end)
	require.ErrorContains(t, <-ended, sub.topic)
}
