package domain

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAnEndingIsReadBackFromItsError, wrapped or not, for every end and for a stuck run.
func TestAnEndingIsReadBackFromItsError(t *testing.T) {
	t.Parallel()
	run, cause := RunIDForKey("order", "1"), &Failure{Kind: FailurePermanent, Step: "pay", Message: "card gone"}
	for _, want := range []Ending{
		{Run: run, State: RunIsCompensated, Cause: cause, Left: []string{"mail"}},
		{Run: run, State: RunIsCancelled, Cause: cause, Left: []string{"mail"}},
		{Run: run, State: RunIsAbandoned, Left: []string{"mail"}},
		{Run: run, State: RunIsStuck, Cause: cause, Step: "pay", Incident: "7"},
	} {
		for _, err := range []error{want.Err(), fmt.Errorf("wait: %w", want.Err()), errors.Join(errors.New("print"), want.Err())} {
			got, ok := EndingOf(err)
			require.True(t, ok, err)
			require.Equal(t, want, got)
		}
	}
	for _, goesOn := range []RunState{RunIsCompleted, RunRunning, RunCompensating} {
		require.NoError(t, (&Ending{Run: run, State: goesOn}).Err())
	}
	got, ok := EndingOf(nil)
	require.True(t, ok)
	require.Equal(t, Ending{State: RunIsCompleted}, got)
	for _, err := range []error{context.Canceled, ErrNotFound, &FailureError{Failure: cause}} {
		_, ok = EndingOf(err)
		require.False(t, ok, err)
	}
}
