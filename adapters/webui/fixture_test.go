package webui_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest"
)

// hostile is text that breaks out of HTML, attributes, scripts and JSON where it is not escaped.
const hostile = `"><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'</pre>{{.}}</details><svg onload=window.hacked=1>` + "\u202e"

type (
	order struct {
		ID    string   `json:"id"`
		Email string   `json:"email" atone:"secret"`
		Items []string `json:"items"`
		Total int      `json:"total"`
		Note  string   `json:"note,omitempty"`
	}
	charge struct {
		Card   string `json:"card"`
		Amount int    `json:"amount"`
		Note   string `json:"note,omitempty"`
	}
	receipt struct {
		ID   string `json:"id"`
		Note string `json:"note,omitempty"`
	}
	letter struct {
		To string `json:"to" atone:"secret"`
	}
	approval struct {
		By string `json:"by"`
	}
)

// world is a coordinator with sample sagas, its views and the page over them.
type world struct {
	t    *testing.T
	ctx  context.Context
	log  *memlog.Log
	c    *saga.Coordinator
	run  *runner.Runner
	read views.Reader
	url  string

	// cardGone makes the undo of a charge fail; pace stretches what handlers do.
	cardGone atomic.Bool
	// down lets no request through; hangs answers none; broken answers all with an error; loses
	// carries requests out, and loses the answers.
	down, hangs, broken, loses atomic.Bool
	pace                       time.Duration

	orders   *saga.Saga[order, receipt]
	approved *saga.Saga[order, receipt]
	bulk     *saga.Saga[int, int]
	hostile  *saga.Saga[string, string]
	above    *saga.Saga[string, string]
	tour     *saga.Saga[order, receipt]
	night    *saga.Saga[int, int]
}

// The saga night has as many reasons to fail as banks have things to say.
var (
	banks   = []string{"Nordbank", "Banco Sur", "First Harbour", "Kantonalkasse", "Lakeside Credit", "Unione", "Polar Pay", "Delta Trust"}
	sayings = []string{"the account is closed", "the limit of the day is reached", "no answer from the issuer", "the mandate has expired", "the signature does not match"}
)

var quick = saga.Retry{MaxAttempts: 3, Initial: 20 * time.Millisecond, Max: 200 * time.Millisecond, Jitter: domain.JitterNone}

// newWorld starts everything and ends it with the test.
func newWorld(t *testing.T, adjust ...func(*webui.Config)) *world {
	t.Helper()
	return newWorldAt(t, time.Millisecond, adjust...)
}

func newWorldAt(t *testing.T, pace time.Duration, adjust ...func(*webui.Config)) *world {
	t.Helper()
	return newWorldOf(t, pace, saga.Config{}, adjust...)
}

func newWorldOf(t *testing.T, pace time.Duration, of saga.Config, adjust ...func(*webui.Config)) *world {
	t.Helper()
	return newProgram(t, pace, of, (*world).define, adjust...)
}

// newProgram is a world whose program has what define registers.
func newProgram(t *testing.T, pace time.Duration, of saga.Config, define func(*world), adjust ...func(*webui.Config)) *world {
	t.Helper()
	w := &world{t: t, log: memlog.New(), pace: pace}
	w.cardGone.Store(true)
	quiet := slog.New(slog.DiscardHandler)
	var err error
	of.Log, of.Logger = w.log, quiet
	w.c, err = saga.New(of)
	require.NoError(t, err)
	define(w)
	store, err := sqlite.Open(sqlite.Config{Dir: t.TempDir()})
	require.NoError(t, err)
	w.run, err = runner.New(runner.Config{Source: w.log, Store: store, Logger: quiet, Views: views.All()})
	require.NoError(t, err)
	w.read = views.Of(w.run.Reader())
	cfg := webui.Config{Coordinator: w.c, Views: w.read, Projections: w.run, Log: w.log, Refresh: 200 * time.Millisecond, Version: "test", Logger: quiet}
	for _, f := range adjust {
		f(&cfg)
	}
	page, err := webui.New(cfg)
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if w.hangs.Load() {
			// The server notices that the client has left only when the body is read.
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		if w.broken.Load() {
			http.Error(rw, "broken", http.StatusInternalServerError)
			return
		}
		if w.loses.Load() {
			page.ServeHTTP(httptest.NewRecorder(), r)
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		page.ServeHTTP(rw, r)
	}))
	w.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = saga.WithActor(ctx, "shop")
	ended := make(chan error, 2)
	go func() { ended <- w.c.Run(ctx) }()
	go func() { ended <- w.run.Run(ctx) }()
	t.Cleanup(func() {
		server.Close()
		cancel()
		for range 2 {
			require.NoError(t, <-ended)
		}
		require.NoError(t, store.Close())
		require.NoError(t, w.log.Close())
	})
	<-w.c.Ready()
	return w
}

// work takes n paces, as a remote system would.
func (w *world) work(ctx context.Context, n int) {
	select {
	case <-time.After(time.Duration(n) * w.pace):
	case <-ctx.Done():
	}
}

func (w *world) define() {
	reserve := &saga.Action[order, string]{Name: "reserve-stock", Retry: quick, Timeout: 5 * time.Second,
		Do: func(ctx context.Context, o order) (string, error) {
			w.work(ctx, 2)
			return "rsv-" + o.ID, saga.Emit(ctx, "stock.reserved", map[string]string{"order": o.ID, "email": o.Email})
		},
		Undo: func(ctx context.Context, did saga.Did[order, string]) error { w.work(ctx, 2); return nil }}
	pay := &saga.Action[charge, receipt]{Name: "charge-card", Retry: quick, Timeout: 5 * time.Second, UndoRetry: quick,
		Do: func(ctx context.Context, in charge) (receipt, error) {
			w.work(ctx, 5)
			if saga.AttemptOf(ctx).Number == 1 {
				return receipt{}, errors.New("gateway answered 503")
			}
			return receipt{ID: "ch-" + in.Card, Note: in.Note}, nil
		},
		Undo: func(ctx context.Context, did saga.Did[charge, receipt]) error {
			w.work(ctx, 3)
			if did.Input.Card == "gone" && w.cardGone.Load() {
				return errors.New("card_gone: the card was closed after it was charged")
			}
			return nil
		}}
	pack := &saga.Action[string, string]{Name: "pack-item", Retry: quick, Timeout: 5 * time.Second,
		Do: func(ctx context.Context, sku string) (string, error) {
			w.work(ctx, 2+len(sku))
			return "box-" + sku, nil
		},
		Undo: func(ctx context.Context, did saga.Did[string, string]) error { w.work(ctx, 1); return nil }}
	book := &saga.Action[int, string]{Name: "book-courier", Retry: quick, Timeout: 5 * time.Second,
		Do: func(ctx context.Context, total int) (string, error) {
			w.work(ctx, 4)
			if total > 1000 {
				return "", saga.Permanent(fmt.Errorf("no courier insures %d", total))
			}
			return "DHL-4471", nil
		},
		Undo: func(ctx context.Context, did saga.Did[int, string]) error { w.work(ctx, 1); return nil }}
	mail := &saga.Action[letter, saga.None]{Name: "send-mail", Effect: saga.Irreversible, FailsCleanly: true, Retry: quick, Timeout: 5 * time.Second,
		Do: func(ctx context.Context, to letter) (saga.None, error) { w.work(ctx, 1); return saga.None{}, nil }}
	each := &saga.Action[int, int]{Name: "double", Effect: saga.NoEffect, Do: func(ctx context.Context, n int) (int, error) { return 2 * n, nil }}

	body := func(approve bool) func(f *saga.Flow, in saga.Ref[order]) saga.Ref[receipt] {
		return func(f *saga.Flow, in saga.Ref[order]) saga.Ref[receipt] {
			saga.Do(f, reserve, func(v saga.Scope) order { return in.In(v) })
			paid := saga.Do(f, pay, func(v saga.Scope) charge {
				o := in.In(v)
				card := "42"
				if o.Total == 6666 {
					card = "gone"
				}
				return charge{Card: card, Amount: o.Total, Note: o.Note}
			})
			saga.Parallel(f,
				func(f *saga.Flow) {
					saga.Each(f, "pack", func(v saga.Scope) []string { return in.In(v).Items }, func(f *saga.Flow, item saga.Ref[string]) saga.Ref[string] {
						return saga.Do(f, pack, item.In)
					}, saga.Concurrency(2))
				},
				func(f *saga.Flow) { saga.Do(f, book, func(v saga.Scope) int { return in.In(v).Total }) },
			)
			if approve {
				saga.Await[approval](f, "approved", saga.Within(time.Hour))
			}
			saga.Do(f, mail, func(v saga.Scope) letter { return letter{To: in.In(v).Email} })
			return paid
		}
	}
	w.orders = saga.Define("order", 3, body(false), saga.Description("Takes an order from the shop: pays it, packs it, ships it."), saga.Deadline(24*time.Hour))
	w.approved = saga.Define("big-order", 1, body(true), saga.Description("An order that a person has to approve."))
	w.bulk = saga.Define("recalculate", 1, func(f *saga.Flow, n saga.Ref[int]) saga.Ref[int] {
		saga.Each(f, "row", func(v saga.Scope) []int {
			out := make([]int, n.In(v))
			for i := range out {
				out[i] = i
			}
			return out
		}, func(f *saga.Flow, item saga.Ref[int]) saga.Ref[int] { return saga.Do(f, each, item.In) }, saga.Concurrency(16))
		return saga.Return(f, func(v saga.Scope) int { return n.In(v) })
	})
	bad := &saga.Action[string, string]{Name: "explode", Effect: saga.NoEffect, Timeout: 5 * time.Second, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(ctx context.Context, _ string) (string, error) {
			return "", saga.Permanent(fmt.Errorf("failed with %s", hostile))
		}}
	w.hostile = saga.Define("hostile", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, bad, in.In, saga.OnFail(saga.Ask))
	}, saga.Description(hostile))
	w.above = saga.Define("above", 1, func(f *saga.Flow, in saga.Ref[string]) saga.Ref[string] {
		return saga.Child(f, w.hostile, in.In, saga.Name("below"))
	})
	slow := &saga.Action[string, string]{Name: "ask-carrier", Effect: saga.NoEffect, Timeout: 12*w.pace + 20*time.Millisecond,
		// On a busy machine further attempts may be too late, too.
		Retry: saga.Retry{MaxAttempts: 100, Initial: quick.Initial, Max: quick.Max, Jitter: domain.JitterNone},
		Do: func(ctx context.Context, in string) (string, error) {
			if saga.AttemptOf(ctx).Number == 1 {
				<-ctx.Done() // answers too late
				return "", ctx.Err()
			}
			w.work(ctx, 3)
			return in, nil
		}}
	w.tour = saga.Define("tour", 1, func(f *saga.Flow, in saga.Ref[order]) saga.Ref[receipt] {
		big := saga.Compute(f, "big", func(v saga.Scope) bool { return in.In(v).Total > 100 })
		saga.If(f, func(v saga.Scope) bool { return big.In(v) }, func(f *saga.Flow) { saga.Do(f, reserve, func(v saga.Scope) order { return in.In(v) }) }, nil)
		saga.Switch(f, func(v saga.Scope) string { return in.In(v).Items[0] },
			saga.When("lamp", func(f *saga.Flow) {
				saga.Do(f, pack, func(v saga.Scope) string { return "glass" })
				saga.Do(f, book, func(v saga.Scope) int { return 10 })
			}),
			saga.When("desk", func(f *saga.Flow) {
				saga.Do(f, pack, func(v saga.Scope) string { return "wood" }, saga.Name("pack-desk"))
			}),
			saga.Otherwise(func(f *saga.Flow) { saga.Sleep(f, time.Hour) }))
		saga.Child(f, w.bulk, func(v saga.Scope) int { return 3 })
		saga.Sleep(f, 10*w.pace)
		saga.Do(f, slow, func(v saga.Scope) string { return in.In(v).ID })
		saga.Pivot(f)
		saga.Do(f, mail, func(v saga.Scope) letter { return letter{To: in.In(v).Email} })
		return saga.Await[receipt](f, "delivered", saga.Within(48*time.Hour))
	}, saga.Description("Has a step of every kind."))
	pays := &saga.Action[int, int]{Name: "pay", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(_ context.Context, n int) (int, error) {
			return 0, saga.Permanent(fmt.Errorf("%s answered %d: %s (request %d)", banks[n%len(banks)], 500+n%7, sayings[n/len(banks)%len(sayings)], 7_310_000+n))
		}}
	w.night = saga.Define("night", 1, func(f *saga.Flow, n saga.Ref[int]) saga.Ref[int] {
		return saga.Do(f, pays, n.In, saga.OnFail(saga.Ask))
	}, saga.Description("Fails for one of forty reasons."))
	require.NoError(w.t, w.c.Register(w.orders, w.approved, w.bulk, w.hostile, w.above, w.tour, w.night))
}

func sample(id string, total int) order {
	return order{ID: id, Email: "ada@example.org", Items: []string{"lamp", "desk", "chair", "rug"}, Total: total}
}

// The samples: one run of each fate, each named by its key.

func (w *world) completed(key string) domain.RunID {
	r, err := saga.Start(w.ctx, w.c, w.orders, sample(key, 120), saga.Key(key), saga.Labels(map[string]string{"tenant": "acme"}))
	require.NoError(w.t, err)
	_, err = r.Wait(w.ctx)
	require.NoError(w.t, err)
	return r.ID
}

func (w *world) compensated(key string) domain.RunID {
	r, err := saga.Start(w.ctx, w.c, w.orders, sample(key, 2400), saga.Key(key), saga.Labels(map[string]string{"tenant": "globex"}))
	require.NoError(w.t, err)
	_, err = r.Wait(w.ctx)
	var back *saga.CompensatedError
	require.ErrorAs(w.t, err, &back)
	return r.ID
}

func (w *world) stuck(key string) domain.RunID {
	r, err := saga.Start(w.ctx, w.c, w.orders, sample(key, 6666), saga.Key(key), saga.Labels(map[string]string{"tenant": "globex"}))
	require.NoError(w.t, err)
	_, err = r.Wait(w.ctx)
	var stuck *saga.StuckError
	require.ErrorAs(w.t, err, &stuck)
	return r.ID
}

// waiting starts a run and returns when it awaits its approval.
func (w *world) waiting(key string) domain.RunID {
	r, err := saga.Start(w.ctx, w.c, w.approved, sample(key, 480), saga.Key(key))
	require.NoError(w.t, err)
	w.until(r.ID, "await.opened.v1")
	return r.ID
}

// toured starts a run with a step of every kind and returns when it awaits the last one.
func (w *world) toured(key string) domain.RunID {
	r, err := saga.Start(w.ctx, w.c, w.tour, sample(key, 480), saga.Key(key))
	require.NoError(w.t, err)
	w.until(r.ID, "await.opened.v1")
	return r.ID
}

// until waits for an event of the run.
func (w *world) until(id domain.RunID, wireName string) {
	w.t.Helper()
	sagatest.UntilRecorded(w.t, w.log, domain.RunStream(id), func(e domain.Recorded) bool { return e.Type == wireName })
}

// eventually waits for what nothing tells of, such as what a page shows.
func (w *world) eventually(cond func() bool, why ...any) {
	w.t.Helper()
	require.Eventually(w.t, cond, 2*time.Minute, 5*time.Millisecond, why...)
}

// settled waits until the views have everything that the log has.
func (w *world) settled() {
	w.t.Helper()
	for _, v := range views.All() {
		for e, err := range w.log.ReadAllBackward(w.ctx, domain.EndPosition, v.Selects()) {
			require.NoError(w.t, err)
			require.NoError(w.t, w.run.AtLeast(w.ctx, v.Name, e.Position, 10*time.Minute))
			break
		}
	}
}

// get fetches a page.
func (w *world) get(path string, header ...string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.ctx, http.MethodGet, w.url+path, nil)
	require.NoError(w.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return w.send(req)
}
