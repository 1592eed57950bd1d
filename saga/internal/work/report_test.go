package work

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/machine"
)

// TestReportsOfOlderWorkersAreRead: they say nothing of the effect, save that it is in doubt.
func TestReportsOfOlderWorkersAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]domain.FailureEffect{
		`{"direction":"do","failure":{"kind":"retryable","message":"x"}}`:                            "",
		`{"direction":"do","failure":{"kind":"permanent","message":"x"}}`:                            "",
		`{"direction":"do","failure":{"kind":"retryable","message":"x","in_doubt":true}}`:            domain.EffectInDoubt,
		`{"direction":"probe","verdict":"applied","failure":{"kind":"permanent","message":"large"}}`: domain.EffectDone,
		`{"direction":"do","effect":"unknown","failure":{"kind":"retryable","in_doubt":true}}`:       domain.EffectUnsaid,
		`{"direction":"do","effect":"not_done","failure":{"kind":"retryable"}}`:                      domain.EffectNotDone,
	} {
		var r Report
		require.NoError(t, json.Unmarshal([]byte(text), &r))
		require.Equal(t, want, r.Intent().(machine.Outcome).Effect, text)
	}
}
