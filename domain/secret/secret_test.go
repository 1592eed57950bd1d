package secret_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
)

// TestASecretValueIsHiddenWhereverItTurnsUp has values of secret fields come back under other
// names, as items, as keys and inside of texts.
func TestASecretValueIsHiddenWhereverItTurnsUp(t *testing.T) {
	t.Parallel()
	c := secret.NewCloak(secret.Fields{"card", "keys", "raw"})
	c.Learn(json.RawMessage(`{"card": 4111111111111111, "keys": {"a": "sk_live_a", "b": ["sk_live_ab"]}, "raw": "c2VjcmV0IGJ5dGVz", "n": 12345, "short": 1}`))
	for in, want := range map[string]string{
		`{"n":12345,"card":1}`:         `{"n":12345,"card":"•••"}`,
		`{"other":4111111111111111}`:   `{"other":"•••"}`,
		`["sk_live_ab","sk_live_abc"]`: `["•••","•••c"]`,
		`{"sk_live_a":true}`:           `{"•••":true}`,
		`"sk_live"`:                    `"sk_live"`,
	} {
		require.Equal(t, want, string(c.Payload(json.RawMessage(in))), in)
	}
	for in, want := range map[string]string{
		"card 4111111111111111 declined": "card ••• declined",
		"key sk_live_ab, sk_live_a":      "key •••, •••",
		"read secret bytes":              "read •••",
		"":                               "", "411": "411", "12345": "12345",
	} {
		require.Equal(t, want, c.Text(in), in)
	}
}

// TestAnErrorKeepsWhatItWraps has a text masked and the error found.
func TestAnErrorKeepsWhatItWraps(t *testing.T) {
	t.Parallel()
	c := secret.NewCloak(secret.Fields{"card"})
	c.Learn(json.RawMessage(`{"card":"4111222233334444"}`))
	err := c.Error(fmt.Errorf("card 4111222233334444: %w", io.ErrUnexpectedEOF))
	require.EqualError(t, err, "card •••: unexpected EOF")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	plain := errors.New("no card")
	require.Same(t, plain, c.Error(plain))
	f := &domain.Failure{Message: "4111222233334444", Stack: "x 4111222233334444"}
	require.Equal(t, &domain.Failure{Message: "•••", Stack: "x •••"}, c.Failure(f))
	require.Equal(t, "4111222233334444", f.Message, "the one given is not changed")
}

// TestACloakWithoutFieldsChangesNothing holds it to costing nothing.
func TestACloakWithoutFieldsChangesNothing(t *testing.T) {
	t.Parallel()
	var none *secret.Cloak
	for _, c := range []*secret.Cloak{none, secret.NewCloak(nil)} {
		raw := json.RawMessage(`{ "a" : 1 }`)
		c.Learn(raw)
		require.Equal(t, string(raw), string(c.Payload(raw)))
		require.Equal(t, "a", c.Text("a"))
		require.Equal(t, string(raw), string(c.Event(&domain.Recorded{NewEvent: domain.NewEvent{Type: "sold", Data: raw}})))
	}
}

// TestAnEventTellsItsOwnSecrets has an emitted event say in its metadata what of it is secret.
func TestAnEventTellsItsOwnSecrets(t *testing.T) {
	t.Parallel()
	sealed, _ := domain.Seal("run-1", 0, domain.ChainHash{}, &domain.DomainEvent{Type: "sold", Payload: json.RawMessage(`{"pin":"8841-2"}`), Secret: []string{"pin"}}, domain.Meta{})
	r := &domain.Recorded{NewEvent: sealed, Stream: "run-1"}
	_, err := domain.Verify(r, domain.ChainHash{})
	require.NoError(t, err)
	require.JSONEq(t, `{"pin":"•••"}`, string(secret.NewCloak(nil).Event(r)))
	var none *secret.Cloak
	require.JSONEq(t, `{"pin":"•••"}`, string(none.Event(r)))
	f, err := domain.DecodeFact(r)
	require.NoError(t, err)
	require.Equal(t, []string{"pin"}, f.Meta.Secret)
}

// TestAnEventOfARunIsShownWithoutSecrets has payloads, lists of them, and the texts beside them.
func TestAnEventOfARunIsShownWithoutSecrets(t *testing.T) {
	t.Parallel()
	c := secret.NewCloak(secret.Fields{"pin"})
	show := func(e domain.Event) string {
		sealed, _ := domain.Seal("run-1", 0, domain.ChainHash{}, e, domain.Meta{})
		return string(c.Event(&domain.Recorded{NewEvent: sealed, Stream: "run-1"}))
	}
	require.NotContains(t, show(&domain.RunStarted{Input: json.RawMessage(`{"pin":"8841-2"}`), Key: "order-8841-2"}), "8841")
	require.NotContains(t, show(&domain.ItemsListed{Items: []json.RawMessage{json.RawMessage(`{"pin":"7777-1"}`), json.RawMessage(`"8841-2"`)}}), "8841")
	failed := show(&domain.AttemptFailed{Step: "pay", Attempt: 1, Cause: domain.Failure{Message: "pin 7777-1 is wrong"}})
	require.Contains(t, failed, "pin ••• is wrong")
	require.Contains(t, failed, `"attempt":1`)
}

// TestWhatIsNotSecretIsCopiedAsItIsWritten has numbers, escapes and members twice come through
// unchanged.
func TestWhatIsNotSecretIsCopiedAsItIsWritten(t *testing.T) {
	t.Parallel()
	c := secret.NewCloak(secret.Fields{"card"})
	for in, want := range map[string]string{
		`{"n":1e400,"z":0.1000,"s":"<b>&\u00e9\/","a":1,"a":2,"card":"x"}`: `{"n":1e400,"z":0.1000,"s":"<b>&\u00e9\/","a":1,"a":2,"card":"•••"}`,
		" [ 1 , {\"b\" : null} , [ ] , { } ]\n":                            `[1,{"b":null},[],{}]`,
		`{"a":`:                                                            `"•••"`,
		`{"a":1]`:                                                          `"•••"`,
		`{"a":1,}`:                                                         `"•••"`,
		`not json`:                                                         `"•••"`,
		"[\"\xff\"]":                                                       "[\"\xff\"]",
	} {
		require.Equal(t, want, string(c.Payload(json.RawMessage(in))), in)
	}
}

func BenchmarkPayload(b *testing.B) {
	var rows []map[string]any
	for i := range 500 {
		rows = append(rows, map[string]any{"id": i, "name": "somebody of that name", "card": "4111222233334444", "tags": []string{"a", "b"}, "price": 12.5})
	}
	payload, err := json.Marshal(rows)
	require.NoError(b, err)
	c := secret.NewCloak(secret.Fields{"card"})
	c.Learn(payload)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		c.Payload(payload)
	}
}
