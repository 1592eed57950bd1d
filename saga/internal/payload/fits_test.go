package payload_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/internal/payload"
)

// TestWhatDoesNotFitIsToldInFields, not in types of Go.
func TestWhatDoesNotFitIsToldInFields(t *testing.T) {
	t.Parallel()
	type form struct {
		N    int      `json:"n"`
		Name string   `json:"name"`
		Tags []string `json:"tags"`
		Ok   bool     `json:"ok"`
		In   struct {
			Share *float64 `json:"share"`
		} `json:"in"`
	}
	for raw, want := range map[string]string{
		`{"n":"4"}`:             "n must be a whole number, not a text",
		`{"n":1.5}`:             "n must be a whole number, not the number 1.5",
		`{"name":7}`:            "name must be a text, not a number",
		`{"tags":{}}`:           "tags must be a list, not an object",
		`{"ok":[]}`:             "ok must be true or false, not a list",
		`{"in":{"share":true}}`: "in.share must be a number, not true or false",
		`[]`:                    "it must be an object, not a list",
		`{"nn":1}`:              `there is no field "nn"`,
		`{`:                     "unexpected EOF",
	} {
		require.EqualError(t, payload.Fits[form](json.RawMessage(raw)), want, raw)
	}
	require.NoError(t, payload.Fits[form](json.RawMessage(`{"n":1}`)))
	require.NoError(t, payload.Fits[form](nil))
}
