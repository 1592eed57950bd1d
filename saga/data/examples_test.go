package data_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
)

type form struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

type user struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type sent struct {
	MessageID string `json:"message_id"`
}

type contact struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type stock struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type reserved struct {
	Reservation string `json:"reservation"`
}

type charge struct {
	Card   string  `json:"card" atone:"secret"`
	Amount float64 `json:"amount"`
}

type parcel struct {
	Order        string   `json:"order"`
	Reservations []string `json:"reservations"`
	Note         string   `json:"note,omitempty"`
}

type sentParcel struct {
	Parcel string `json:"parcel"`
}

type account struct {
	ID     string `json:"id"`
	Ours   int    `json:"ours"`
	Theirs int    `json:"theirs"`
}

type correction struct {
	Account string `json:"account"`
	By      int    `json:"by"`
}

// town is the world of the examples: it notes what was done and what was undone.
type town struct {
	mu     sync.Mutex
	events []string
	fail   map[string]error
	own    []saga.AnyAction
}

func (w *town) note(what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.fail[what]; err != nil {
		return err
	}
	w.events = append(w.events, what)
	return nil
}

func (w *town) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.events...)
}

func action[In, Out any](w *town, name string, do func(In) Out, says func(In) string) *saga.Action[In, Out] {
	retry := saga.Retry{MaxAttempts: 2, Initial: time.Millisecond}
	return &saga.Action[In, Out]{Name: name, Retry: retry, UndoRetry: retry,
		Do: func(_ context.Context, in In) (Out, error) {
			if err := w.note(name + " " + says(in)); err != nil {
				var none Out
				return none, err
			}
			return do(in), nil
		},
		Undo: func(_ context.Context, did saga.Did[In, Out]) error {
			return w.note("undo " + name + " " + says(did.Input))
		},
	}
}

func (w *town) actions() []saga.AnyAction {
	if w.own != nil {
		return w.own
	}
	w.own = []saga.AnyAction{
		action(w, "create-user", func(f form) user { return user{"u-1", f.Name, f.Email} }, func(f form) string { return f.Email }),
		action(w, "send-welcome-email", func(u user) sent { return sent{"m-" + u.ID} }, func(u user) string { return u.Email }),
		action(w, "update-crm", func(contact) saga.None { return saga.None{} }, func(c contact) string { return c.Name }),
		action(w, "reserve-stock", func(s stock) reserved { return reserved{"r-" + s.SKU} }, func(s stock) string { return s.SKU }),
		action(w, "charge-card", func(charge) saga.None { return saga.None{} }, func(c charge) string { return c.Card }),
		action(w, "list-accounts", func(string) []account { return []account{{"a", 5, 5}, {"b", 7, 4}, {"c", 0, 1}} }, func(day string) string { return day }),
		action(w, "correct-balance", func(correction) saga.None { return saga.None{} }, func(c correction) string { return fmt.Sprintf("%s %+d", c.Account, c.By) }),
		action(w, "tell-finance", func(string) saga.None { return saga.None{} }, func(text string) string { return text }),
		action(w, "send-parcel", func(p parcel) sentParcel { return sentParcel{"p-" + p.Order} }, func(p parcel) string { return p.Note }),
	}
	return w.own
}

// running runs the sagas on a log in memory until the test ends.
func running(t *testing.T, w *town, log domain.Log, sagas ...*data.Saga) *saga.Coordinator {
	t.Helper()
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for _, s := range sagas {
		require.NoError(t, c.Register(s))
	}
	require.NoError(t, c.RegisterActions(w.actions()...))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	<-c.Ready()
	return c
}

func load(t *testing.T, w *town, path string) *data.Saga {
	t.Helper()
	set, err := data.Load(data.Uses{Actions: w.actions()}, path)
	require.NoError(t, err)
	require.Len(t, set.Sagas, 1)
	return set.Sagas[0]
}

func TestTheSignUpOfAFileIsAllOrNothing(t *testing.T) {
	t.Parallel()
	w := &town{fail: map[string]error{"update-crm Eve": saga.Permanent(errors.New("no such people"))}}
	signup := load(t, w, "examples/signup.yaml")
	c := running(t, w, memlog.New(), signup)
	run, err := saga.Start(t.Context(), c, signup, json.RawMessage(`{"name":" Ada ","email":"ada@example.org"}`))
	require.NoError(t, err)
	require.Equal(t, domain.RunIDForKey("signup", "ada@example.org"), run.ID, "the key is the file's")
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"user_id":"u-1","welcome":"m-u-1"}`, string(out))
	seen, err := c.Describe(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"referrer": "none"}, seen.Labels)
	again, err := c.StartByName(t.Context(), "signup", 0, json.RawMessage(`{"name":" Ada ","email":"ada@example.org"}`))
	require.NoError(t, err)
	require.Equal(t, run.ID, again)

	run, err = saga.Start(t.Context(), c, signup, json.RawMessage(`{"name":"Eve","email":"eve@example.org","referrer":"ada"}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, "update-crm", undone.Cause.Step)
	require.Contains(t, w.all(), "undo create-user eve@example.org")

	for text, says := range map[string]string{`{"name":"Ada"}`: "email", `{"name":"Ada","email":"a","mail":"b"}`: "mail", `{"name":"","email":"a"}`: "name", `[]`: "object"} {
		_, err := c.StartByName(t.Context(), "signup", 0, json.RawMessage(text))
		require.ErrorIs(t, err, saga.ErrBadInput, text)
		require.ErrorContains(t, err, says, text)
		_, err = saga.Start(t.Context(), c, signup, json.RawMessage(text))
		require.ErrorIs(t, err, saga.ErrBadInput, text)
	}
}

func TestTheOrderOfAFileIsApprovedAndSent(t *testing.T) {
	t.Parallel()
	w := &town{}
	order := load(t, w, "examples/order.yaml")
	c := running(t, w, memlog.New(), order)
	start := func(id string, price int) *saga.Run[json.RawMessage] {
		in, err := json.Marshal(map[string]any{"id": id, "card": "4111-secret", "lines": []any{
			map[string]any{"sku": "a-" + id, "quantity": 2, "price": price}, map[string]any{"sku": "b-" + id, "quantity": 1, "price": 7}}})
		require.NoError(t, err)
		run, err := saga.Start(t.Context(), c, order, json.RawMessage(in))
		require.NoError(t, err)
		return run
	}
	out, err := start("1", 100).Wait(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"total":207,"parcel":"p-1"}`, string(out))
	require.Contains(t, w.all(), "send-parcel no note")

	large := start("2", 60_000)
	require.NoError(t, c.Signal(t.Context(), large.ID, "approved", json.RawMessage(`{"yes":true,"by":"kim"}`)))
	out, err = large.Wait(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"total":120007,"parcel":"p-2"}`, string(out))

	refused := start("3", 60_000)
	require.NoError(t, c.Signal(t.Context(), refused.ID, "approved", json.RawMessage(`{"yes":false}`)))
	_, err = refused.Wait(t.Context())
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, "an order of 120007 was not approved", undone.Cause.Message)
	require.Contains(t, w.all(), "undo reserve-stock a-3")
	require.Error(t, c.Signal(t.Context(), refused.ID, "approved", json.RawMessage(`{"no":1}`)))
}

// TestTheNightlyReconciliationOfAFile: what differs is corrected, all of it or none.
func TestTheNightlyReconciliationOfAFile(t *testing.T) {
	t.Parallel()
	w := &town{}
	reconcile := load(t, w, "examples/reconcile.yaml")
	c := running(t, w, memlog.New(), reconcile)
	run, err := saga.Start(t.Context(), c, reconcile, json.RawMessage(`{"day":"2026-11-28"}`))
	require.NoError(t, err)
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `{"checked":3,"corrected":["b","c"]}`, string(out))
	require.Contains(t, w.all(), "correct-balance b -3")
	require.Contains(t, w.all(), "tell-finance 2026-11-28: corrected b, c")

	w = &town{fail: map[string]error{"correct-balance c +1": saga.Permanent(errors.New("closed account"))}}
	reconcile = load(t, w, "examples/reconcile.yaml")
	c = running(t, w, memlog.New(), reconcile)
	run, err = saga.Start(t.Context(), c, reconcile, json.RawMessage(`{"day":"2026-11-29"}`))
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	var undone *saga.CompensatedError
	require.ErrorAs(t, err, &undone)
	if all := w.all(); slices.Contains(all, "correct-balance b -3") {
		require.Contains(t, all, "undo correct-balance b -3")
	}
	_, err = c.StartByName(t.Context(), "reconcile", 0, json.RawMessage(`{"day":"yesterday"}`))
	require.ErrorIs(t, err, saga.ErrBadInput)
}
