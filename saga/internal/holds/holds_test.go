package holds_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/holds"
	"github.com/atonehq/atone/saga/internal/journal"
)

// list are the holds of a log, and what they told.
type list struct {
	*holds.Holds
	told []string
}

func of(log domain.Log) *list {
	l := new(list)
	l.Holds = holds.New(holds.Config{Log: journal.New(log, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Unix(1_000, 0) }, Apply: func(action string, others, undos bool) {
			switch {
			case undos:
				action += " undos"
			case !others:
				action += " free"
			}
			l.told = append(l.told, action)
		}})
	return l
}

// TestAnEventThatCantBeReadHurtsOnlyItself: what comes after it holds.
func TestAnEventThatCantBeReadHurtsOnlyItself(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	for _, e := range []domain.NewEvent{{Type: "atone.action_held.v1", Data: []byte(`[`)}, {Type: "atone.action_held.v9", Data: []byte(`{"action":"a"}`)}, {Type: "atone.action_held.v1", Data: []byte(`{}`)}} {
		e.ID = uuid.New()
		_, err := log.Append(t.Context(), holds.Stream, domain.AnyRevision, e)
		require.NoError(t, err)
	}
	l := of(log)
	_, err := l.Hold(t.Context(), &holds.Request{Action: "b", Reason: "down"}, "ada")
	require.NoError(t, err)
	require.Len(t, l.List(), 1)
	require.Equal(t, "held by ada since 1970-01-01T00:16:40Z: down", l.Of("b", false).Text())
	require.Equal(t, []string{"b"}, l.told)
}

// TestTwoWhoHoldAtOnce: one of them does, the other is told of it, and both know the same.
func TestTwoWhoHoldAtOnce(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	one, two := of(log), of(log)
	var wg sync.WaitGroup
	var errs [2]error
	for i, l := range []*list{one, two} {
		wg.Go(func() {
			_, errs[i] = l.Hold(context.Background(), &holds.Request{Action: "a", Reason: "down"}, "ada")
		})
	}
	wg.Wait()
	if errs[0] == nil {
		require.ErrorIs(t, errs[1], holds.ErrHeld)
	} else {
		require.ErrorIs(t, errs[0], holds.ErrHeld)
		require.NoError(t, errs[1])
	}
	require.Equal(t, one.List(), two.List())
	_, err := one.Hold(t.Context(), &holds.Request{Action: "a", Undos: true, Reason: "all of it"}, "bob")
	require.NoError(t, err)
	_, err = two.Release(t.Context(), "a", "ada", "back")
	require.NoError(t, err)
	require.NoError(t, one.Load(t.Context()))
	require.Equal(t, []string{"a", "a undos", "a free"}, one.told)
	require.Equal(t, one.told, two.told)
	_, err = one.Release(t.Context(), "a", "ada", "back")
	require.ErrorIs(t, err, holds.ErrNotHeld)
	require.ErrorContains(t, err, "none is")
}

// TestAStartLogsWhatIsHeldNow: what was released before is no news.
func TestAStartLogsWhatIsHeldNow(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	before := of(log)
	for _, action := range []string{"a", "b"} {
		_, err := before.Hold(t.Context(), &holds.Request{Action: action, Reason: "down"}, "ada")
		require.NoError(t, err)
	}
	_, err := before.Release(t.Context(), "a", "ada", "back")
	require.NoError(t, err)

	var out bytes.Buffer
	h := holds.New(holds.Config{Log: journal.New(log, slog.New(slog.DiscardHandler)), Logger: slog.New(slog.NewTextHandler(&out, nil)),
		Now: time.Now, Apply: func(string, bool, bool) {}})
	require.NoError(t, h.Load(t.Context()))
	require.Equal(t, 1, strings.Count(out.String(), "\n"), out.String())
	require.Contains(t, out.String(), `msg="action held" action=b`)
	out.Reset()
	_, err = before.Release(t.Context(), "b", "ada", "back")
	require.NoError(t, err)
	require.NoError(t, h.Load(t.Context()))
	require.Contains(t, out.String(), `msg="action released" action=b`, "what comes later is news")
}
