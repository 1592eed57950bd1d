package rejected_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/rejected"
)

// on returns a list on the log, whose events start runs while able says so.
func on(log domain.Log, able *bool) *rejected.Book {
	return rejected.New(rejected.Config{Log: log, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Unix(1_000, 0) },
		Actor: func(context.Context) (string, error) { return "kim", nil },
		Start: func(_ context.Context, e *rejected.Event) (domain.RunID, error) {
			if !*able {
				return domain.RunID{}, errors.New("the reason stands")
			}
			return domain.RunIDForEvent(e.Saga, e.Event), nil
		}})
}

// states lists the states of all events, the oldest first.
func states(t *testing.T, b *rejected.Book) (out []rejected.State) {
	t.Helper()
	page, err := b.List(t.Context(), rejected.Filter{Ascending: true})
	require.NoError(t, err)
	for _, e := range page.Rows {
		out = append(out, e.State)
	}
	return out
}

// TestARunThatStartedOutweighsADismissal at another node, whichever is recorded first.
func TestARunThatStartedOutweighsADismissal(t *testing.T) {
	t.Parallel()
	for _, acts := range [][]rejected.Act{{rejected.Retry, rejected.Dismiss}, {rejected.Dismiss, rejected.Retry}} {
		log, able := memlog.New(), true
		b := on(log, &able)
		e := rejected.Event{Event: uuid.New(), Saga: "s", Type: "t", Error: "no"}
		news, err := b.Add(t.Context(), &e)
		require.NoError(t, err)
		require.True(t, news)
		news, err = on(log, &able).Add(t.Context(), &e)
		require.NoError(t, err)
		require.False(t, news, "another node knows")
		// The second node acts on what it read before the first one acted.
		records := []domain.NewEvent{}
		for _, act := range acts {
			other := memlog.New()
			for r, err := range log.ReadStream(t.Context(), rejected.Stream, 0) {
				require.NoError(t, err)
				_, err = other.Append(t.Context(), rejected.Stream, domain.AnyRevision, r.NewEvent)
				require.NoError(t, err)
			}
			report, err := on(other, &able).Do(t.Context(), &rejected.Request{Act: act, All: true, Reason: "r"})
			require.NoError(t, err)
			require.Equal(t, 1, report.Done)
			for r, err := range other.ReadStream(t.Context(), rejected.Stream, 1) {
				require.NoError(t, err)
				records = append(records, r.NewEvent)
			}
		}
		require.Len(t, records, 2)
		_, err = log.Append(t.Context(), rejected.Stream, domain.AnyRevision, records...)
		require.NoError(t, err)
		require.Equal(t, []rejected.State{rejected.Started}, states(t, b), "%v", acts)
		require.Equal(t, map[rejected.Of]int{{Saga: "s", Type: "t"}: 0}, b.Open())
	}
}

// TestWhatOnlyANewerProgramReadsIsLeftOut, and hides nothing else.
func TestWhatOnlyANewerProgramReadsIsLeftOut(t *testing.T) {
	t.Parallel()
	log, able := memlog.New(), false
	b := on(log, &able)
	for i := range 3 {
		for _, noise := range []domain.NewEvent{{Type: "atone.rejected_postponed.v9", Data: []byte(`{}`)}, {Type: "atone.event_rejected.v1", Data: []byte(`[`)},
			{Type: "atone.rejected_started.v1", Data: []byte(`{"id":"` + uuid.NewString() + `"}`)}} {
			noise.ID = uuid.New()
			_, err := log.Append(t.Context(), rejected.Stream, domain.AnyRevision, noise)
			require.NoError(t, err)
		}
		_, err := b.Add(t.Context(), &rejected.Event{Event: uuid.New(), Saga: "s", Type: fmt.Sprint("t", i), Error: "no"})
		require.NoError(t, err)
	}
	require.Equal(t, []rejected.State{rejected.Open, rejected.Open, rejected.Open}, states(t, b))
	report, err := b.Do(t.Context(), &rejected.Request{Act: rejected.Retry, Type: "t1", Reason: "r"})
	require.NoError(t, err)
	require.Equal(t, []any{1, "the reason stands"}, []any{report.Failed, report.Results[0].Refused})
	ended, end := context.WithCancel(t.Context())
	end()
	_, err = b.Do(ended, &rejected.Request{Act: rejected.Dismiss, All: true, Reason: "r"})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []rejected.State{rejected.Open, rejected.Open, rejected.Open}, states(t, b))
}
