package work

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// FuzzOpenTask and FuzzOpenReport read messages as a broker may deliver them: whatever is in them,
// they are read or refused, and what was read can be written and read again.
func FuzzOpenTask(f *testing.F) {
	f.Add([]byte(`{"run":"6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e01","step":"a","direction":"do","attempt":1,"input":{"a":1},"due":"2026-01-02T03:04:05Z","heartbeat_timeout":"3s"}`))
	f.Add([]byte(`{"attempt":"x"}`))
	f.Fuzz(func(t *testing.T, payload []byte) { reopens[Task](t, payload) })
}

// FuzzOpenReport is the same for outcomes; what was read is also decided on.
func FuzzOpenReport(f *testing.F) {
	f.Add([]byte(`{"run":"6f2c5a0e-5c0a-5d55-9a60-0a70e0a70e01","step":"a","direction":"do","attempt":1,"output":"x","emitted":[{"type":"t","payload":1}]}`))
	f.Add([]byte(`{"heartbeat":true,"details":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if r := reopens[Report](t, payload); r != nil {
			if r.check() == nil {
				require.NotNil(t, r.Intent())
			}
		}
	})
}

func reopens[T any](t *testing.T, payload []byte) *T {
	v, err := openMessage[T](message.NewMessage("1", payload))
	if err != nil {
		return nil
	}
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	again, err := openMessage[T](message.NewMessage("1", raw))
	require.NoError(t, err)
	raw2, err := json.Marshal(again)
	require.NoError(t, err)
	require.JSONEq(t, string(raw), string(raw2))
	return v
}

// TestReportsSurviveTheBroker has any outcome mean the same intent after its way through a broker,
// where only the payload is carried.
func TestReportsSurviveTheBroker(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := &Report{Run: domain.RunIDForKey("s", "k"), Step: rapid.String().Draw(t, "step"), Direction: rapid.SampledFrom([]domain.Direction{domain.Do, domain.Undo, domain.Probe, domain.Handler}).Draw(t, "direction"),
			Attempt: rapid.IntRange(1, 9).Draw(t, "attempt"), Beat: rapid.Bool().Draw(t, "beat")}
		if rapid.Bool().Draw(t, "failed") {
			r.Failure = &domain.Failure{Kind: domain.FailureRetryable, Message: rapid.String().Draw(t, "message"), InDoubt: rapid.Bool().Draw(t, "doubt")}
		} else {
			r.Output = json.RawMessage(rapid.SampledFrom([]string{`1`, `"<&>"`, `{"a":[1]}`, `12345678901234567890.10`}).Draw(t, "output"))
			r.Emitted = []Emitted{{Type: "t", Payload: json.RawMessage(`{"x":"<"}`)}}
		}
		m, err := newMessage(t.Context(), "1", r)
		require.NoError(t, err)
		back, err := openMessage[Report](message.NewMessage("1", m.Payload))
		require.NoError(t, err)
		want, got := r.Intent(), back.Intent()
		require.Equal(t, want, got)
	})
}

// TestABrokersOutcomeThatNoEventHoldsIsRefused reads what another program may have written to a
// broker.
func TestABrokersOutcomeThatNoEventHoldsIsRefused(t *testing.T) {
	t.Parallel()
	large := json.RawMessage(`"` + strings.Repeat("x", maxPayload) + `"`)
	for name, r := range map[string]*Report{
		"bytes that are no UTF-8":   {Output: json.RawMessage("\"\xff\"")},
		"too large":                 {Output: large},
		"too deep":                  {Output: json.RawMessage(strings.Repeat("[", 2_000) + strings.Repeat("]", 2_000))},
		"details":                   {Beat: true, Details: json.RawMessage("\"\xff\"")},
		"an event of atone's own":   {Emitted: []Emitted{{Type: "run.completed.v1", Payload: json.RawMessage("1")}}},
		"an event without a type":   {Emitted: []Emitted{{Payload: json.RawMessage("1")}}},
		"a type with a line":        {Emitted: []Emitted{{Type: "a\nb", Payload: json.RawMessage("1")}}},
		"events too large together": {Emitted: []Emitted{{Type: "a.b", Payload: large}, {Type: "a.b", Payload: large}}},
	} {
		require.Error(t, r.check(), name)
	}
	r := &Report{Output: json.RawMessage(`{"a":1,"a":2}`), Emitted: []Emitted{{Type: "a.b", Payload: json.RawMessage("1")}}, Failure: &domain.Failure{Message: "\xff" + strings.Repeat("x", 100<<10)}}
	require.NoError(t, r.check())
	require.True(t, utf8.ValidString(r.Failure.Message))
	require.LessOrEqual(t, len(r.Failure.Message), domain.MaxMessage+10)
}
