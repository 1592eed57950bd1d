package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

func TestScreenShowsEachRunOnceAndRedrawsInPlace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	all := people(5, 1)
	b := newBoard(all, time.Now())
	s := &screen{w: &out, columns: 2, width: 80}
	r := b.rows[0]
	b.applyFact(r, domain.Fact{Event: &domain.RunStarted{}})
	b.applyFact(r, domain.Fact{Event: &domain.AttemptStarted{Step: "create-user", Direction: domain.Do, Attempt: 1}})
	s.tick(b)
	first := out.String()
	require.NotContains(t, first, "\x1b", "the first drawing replaces nothing")
	for _, p := range all {
		require.Equal(t, 1, strings.Count(first, strings.TrimPrefix(p.Key, "signup-")), p.Key)
	}
	require.Contains(t, first, "▸ user")
	require.Equal(t, 1, b.inFlight())

	out.Reset()
	b.applyFact(r, domain.Fact{Event: &domain.AttemptSucceeded{Step: "create-user", Direction: domain.Do, Attempt: 1}})
	s.tick(b)
	require.True(t, strings.HasPrefix(out.String(), "\x1b[5A\x1b[J"), "three rows, a blank line and the summary are replaced")
	require.Contains(t, out.String(), "✔ user")
	require.Zero(t, b.inFlight())
}

// A line that is wider than the terminal is wrapped, and the next drawing would not replace all of
// it.
func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{39, 40, 60, 79, 80, 81, 100, 120, 121, 200} {
		var out bytes.Buffer
		b := newBoard(people(30, 1), time.Now())
		b.ended, b.retries = 30, 1000
		s := &screen{w: &out, columns: columnsIn(width), width: width}
		require.Positive(t, s.columns, "width %d", width)
		s.tick(b)
		for line := range strings.Lines(out.String()) {
			require.Less(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), width, "width %d: %q", width, line)
		}
		require.Equal(t, s.drawn, strings.Count(out.String(), "\n"))
	}
	require.Zero(t, columnsIn(30), "what is narrower gets plain lines")
}

func TestBoardCountsWhatHappened(t *testing.T) {
	t.Parallel()
	b := newBoard(people(2, 1), time.Now())
	r := b.rows[0]
	at := time.Now()
	tell := func(e domain.Event) string {
		return b.applyFact(r, domain.Fact{Event: e, Meta: domain.Meta{At: at}})
	}
	tell(&domain.RunStarted{})
	tell(&domain.AttemptStarted{Step: "update-crm", Direction: domain.Do, Attempt: 1})
	require.Equal(t, "update-crm: attempt 1 was lost with its process: in doubt; again in 100ms",
		tell(&domain.AttemptFailed{Step: "update-crm", Direction: domain.Do, Attempt: 1, Cause: domain.Failure{Kind: domain.FailureLost, InDoubt: true}, RetryAt: at.Add(100 * time.Millisecond)}))
	tell(&domain.AttemptStarted{Step: "update-crm", Direction: domain.Do, Attempt: 2})
	require.Contains(t, tell(&domain.AttemptFailed{Step: "update-crm", Direction: domain.Do, Attempt: 2, Cause: domain.Failure{Message: "no"}}), "failed: no; for good")
	tell(&domain.RunTurnedBack{Cause: domain.Failure{Message: "no"}})
	require.Equal(t, 1, b.unfinished())
	tell(&domain.AttemptStarted{Step: "create-user", Direction: domain.Undo, Attempt: 1})
	tell(&domain.AttemptSucceeded{Step: "create-user", Direction: domain.Undo, Attempt: 1})
	tell(&domain.RunCompensated{})
	require.Equal(t, []int{1, 0, 1, 1, 1, 0, 0}, []int{b.ended, b.completed, b.retries, b.lost, b.undos, b.inFlight(), b.unfinished()})
}
