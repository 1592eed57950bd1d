package decode

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// TestFastDecodingIsDecoding holds the plain scanner equal to encoding/json, on what Seal writes
// and on what it does not.
func TestFastDecodingIsDecoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		str := func(name string) string { return rapid.String().Draw(t, name) }
		at := func(name string) time.Time {
			if rapid.Bool().Draw(t, name+" set") {
				return time.Unix(0, rapid.Int64Range(1, 1<<60).Draw(t, name)).UTC()
			}
			return time.Time{}
		}
		raw := json.RawMessage(rapid.SampledFrom([]string{"", `{"a": {"b":[1, "}]"]}}`, `"\\\""`, "null", "12e3", `[]`, "{ }"}).Draw(t, "raw"))
		n := rapid.IntRange(-3, 1000).Draw(t, "n")
		e := rapid.SampledFrom([]domain.Event{
			&domain.AttemptStarted{Step: str("step"), Direction: domain.Do, Attempt: n, Action: str("action"), Input: raw, Due: at("due"), Node: str("node")},
			&domain.AttemptSucceeded{Step: str("step"), Direction: domain.Undo, Attempt: n, Output: raw},
			&domain.RunCompleted{Output: raw},
			&domain.AttemptFailed{Step: str("step"), Cause: domain.Failure{Message: str("message")}},
			&domain.DomainEvent{Type: "x.y", Payload: json.RawMessage(`{"hash":"no"}`)},
		}).Draw(t, "event")
		m := domain.Meta{CorrelationID: str("correlation"), CausationID: str("causation"), At: at("at"), Actor: str("actor"), Trace: str("trace"),
			Wake: domain.Wake{State: domain.RunState(str("state")), Due: at("wake"), Busy: rapid.Bool().Draw(t, "busy"),
				Events: rapid.Bool().Draw(t, "events"), Node: str("wake node")}}
		sealed, _ := domain.Seal("run-x", 0, domain.ChainHash{}, e, m)
		same(t, sealed)
		if len(sealed.Data) > 0 { // a byte that was damaged
			i := rapid.IntRange(0, len(sealed.Data)-1).Draw(t, "where")
			sealed.Data[i] = rapid.SampledFrom([]byte(`{}[]",:\ 0a`)).Draw(t, "what")
			if json.Valid(sealed.Data) {
				same(t, sealed)
			}
		}
	})
}

func same(t *rapid.T, e domain.NewEvent) {
	r := &domain.Recorded{NewEvent: e, Stream: "run-x"}
	want, wantErr := domain.DecodeFact(r)
	got, gotErr := Fact(r)
	require.Equal(t, wantErr == nil, gotErr == nil, "%s %s: %v, %v", e.Data, e.Metadata, wantErr, gotErr)
	require.Equal(t, want, got, "%s %s", e.Data, e.Metadata)
}

func TestAnUnknownEventIsAnError(t *testing.T) {
	t.Parallel()
	r := &domain.Recorded{NewEvent: domain.NewEvent{ID: uuid.New(), Type: "run.teleported.v9", Data: []byte(`{}`), Metadata: []byte(`{"at":"2026-01-02T03:04:05Z"}`)}}
	_, err := Fact(r)
	var unknown *domain.UnknownEventError
	require.ErrorAs(t, err, &unknown)
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":"\\","b":[{"c":"}"}],"d":null}`, `{"a`, `{"a":"`, `{"a":1,}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			scan(b, func(string, value) bool { return true }) // it must not panic
			return
		}
		var got []string
		if !scan(b, func(name string, v value) bool { got = append(got, name); return json.Valid(v) }) {
			return
		}
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(b, &want))
		for _, name := range got {
			require.Contains(t, want, name)
		}
	})
}
