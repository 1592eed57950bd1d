package story_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/projectiontest"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/projections/verify"
	"github.com/atonehq/atone/saga/explain"
)

func madeUp(t require.TestingT, seed uint64, appends int) *memlog.Log {
	log := memlog.New()
	_, err := projectiontest.NewRuns(seed).Write(context.Background(), log, appends)
	require.NoError(t, err)
	return log
}

func TestAStoryTellsDurationsRetriesAndRedacts(t *testing.T) {
	t.Parallel()
	run, at := domain.RunIDForKey("order", "k"), time.Date(2026, 5, 1, 14, 0, 0, 0, time.UTC)
	var facts []domain.Fact
	add := func(after time.Duration, actor string, wake domain.RunState, e domain.Event) {
		at = at.Add(after)
		facts = append(facts, domain.Fact{Event: e, Revision: uint64(len(facts)), Meta: domain.Meta{At: at, Actor: actor, Wake: domain.Wake{State: wake}}})
	}
	timeout := domain.Failure{Kind: domain.FailureTimedOut, Message: "no outcome\x1b[31m in time"}
	add(0, "ann", "", &domain.RunStarted{Saga: "order", Version: 2, Key: "k", Input: json.RawMessage(`{"card":"4111","n":1}`)})
	add(0, "", domain.RunRunning, &domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 1, Action: "charge-card", Input: json.RawMessage(`{"card":"4111"}`)})
	add(10*time.Second, "", domain.RunRunning, &domain.AttemptFailed{Step: "charge", Direction: domain.Do, Attempt: 1, Cause: timeout, RetryAt: at.Add(38 * time.Second)})
	add(28*time.Second, "", domain.RunRunning, &domain.AttemptStarted{Step: "charge", Direction: domain.Do, Attempt: 2, Action: "charge-card"})
	add(time.Second, "", "", &domain.AttemptSucceeded{Step: "charge", Direction: domain.Do, Attempt: 2, Output: json.RawMessage(`{"id":"=x","card":"4111"}`)})
	add(0, "", "", &domain.DomainEvent{Type: "order.charged", Payload: json.RawMessage(`{"card":"4111"}`)})
	add(time.Minute, "bob", "", &domain.RunTurnedBack{Cause: domain.Failure{Kind: domain.FailureCancelled, Message: "changed my mind"}})
	add(0, "", domain.RunCompensating, &domain.AttemptStarted{Step: "charge", Direction: domain.Undo, Attempt: 1, Action: "charge-card"})
	add(2*time.Second, "", "", &domain.AttemptSucceeded{Step: "charge", Direction: domain.Undo, Attempt: 1})
	add(0, "", domain.RunIsCancelled, &domain.RunCancelled{})

	s := story.Of(run, facts, secret.Fields{"card"})
	require.Equal(t, domain.RunIsCancelled, s.State)
	require.Equal(t, 10*time.Second, s.Lines[2].Took)
	require.Equal(t, 28*time.Second, s.Lines[3].Waited)
	require.Equal(t, time.Second, s.Lines[4].Took)
	require.Equal(t, story.Emitted, s.Lines[5].What)

	write := func(f story.Format) string {
		var b strings.Builder
		require.NoError(t, s.Write(&b, f, nil))
		require.NotContains(t, b.String(), "4111", f)
		return b.String()
	}
	text := write(story.FormatText)
	require.Equal(t, `order v2  run `+run.String()+`  cancelled after 1m41s  times in UTC
2026-05-01 14:00:00.000  +0s                  run.started                      order v2, key k; by ann; in {"card":"•••","n":1}
2026-05-01 14:00:00.000  +0s     charge       attempt.started #1               charge-card; in {"card":"•••"}
2026-05-01 14:00:10.000  +10s    charge       attempt.failed #1     10s        charge-card; error: no outcome\u001b[31m in time; timed_out, retry in 28s
2026-05-01 14:00:38.000  +38s    charge       attempt.started #2    after 28s  charge-card
`, firstLines(text, 5))
	require.Contains(t, text, "undo charge")
	require.Contains(t, text, "changed my mind; cancelled; by bob")
	var back story.Story
	require.NoError(t, json.Unmarshal([]byte(write(story.FormatJSON)), &back))
	require.Len(t, back.Lines, len(facts))
	require.Len(t, strings.Split(strings.TrimSpace(write(story.FormatNDJSON)), "\n"), len(facts))
	local := time.FixedZone("XST", 3600)
	s.Standing = explain.Paused
	s.Lines[2].Error = "no outcome by 2026-05-01T14:00:10Z\u202e"
	var b strings.Builder
	require.NoError(t, s.Write(&b, story.FormatText, local))
	require.Contains(t, b.String(), "  paused after 1m41s  times in XST\n", "how the run stands is said in the word of show")
	require.Contains(t, b.String(), `error: no outcome by 2026-05-01 15:00:10 XST\u202e`)
	require.Contains(t, write(story.FormatCSV), `no outcome by 2026-05-01T14:00:10Z\u202e`)
	records, err := csv.NewReader(strings.NewReader(write(story.FormatCSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, len(facts)+1)
	require.Error(t, s.Write(&strings.Builder{}, "yaml", nil))
}

func firstLines(s string, n int) string {
	lines := strings.SplitAfterN(s, "\n", n+1)
	return strings.Join(lines[:n], "")
}

func TestAStoryComesStraightFromTheStream(t *testing.T) {
	t.Parallel()
	log := madeUp(t, 6, 60)
	v, err := verify.All(t.Context(), log)
	require.NoError(t, err)
	for _, h := range v.Heads {
		s, err := story.Tell(t.Context(), log, h.Run)
		require.NoError(t, err)
		require.Len(t, s.Lines, int(h.Revision)+1)
		var b strings.Builder
		require.NoError(t, s.Write(&b, story.FormatJSON, nil))
		require.NotContains(t, b.String(), "4111")
		require.NotContains(t, b.String(), `"secret"`)
	}
	_, err = story.Tell(t.Context(), log, domain.NewRunID())
	require.ErrorIs(t, err, projections.ErrNotFound)
}

// TestInstantsOfALineAreInOneZone: that of its time.
func TestInstantsOfALineAreInOneZone(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("EAST", 2*3600)
	line := story.Line{At: time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC), What: "sleep.started", Note: "until 2026-01-02T11:30:00Z"}
	require.Equal(t, "until 2026-01-02 13:30:00 EAST", line.In(east).Note)
	require.Contains(t, line.Text(east), "until 2026-01-02 13:30:00 EAST")
	require.Contains(t, line.Text(nil), "until 2026-01-02 11:30:00 UTC")
}
