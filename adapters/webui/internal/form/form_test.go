package form

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain/shape"
)

const order = `{"type":"object","properties":{
	"id":{"type":"string","minLength":2,"pattern":"^o-"},
	"total":{"type":"integer","minimum":1},
	"cur":{"type":"string","enum":["EUR","USD"],"default":"EUR"},
	"gift":{"type":"boolean"},
	"note":{"type":"string"},
	"items":{"type":["array","null"],"items":{"type":"integer"}},
	"to":{"type":"object","properties":{"city":{"type":"string"},"zip":{"type":"string"}},"required":["city"]},
	"any":{}},
	"required":["id","total","cur","items"]}`

func filled(t *testing.T, schema string, posted map[string]string) (*Form, string, bool) {
	t.Helper()
	payload, err := shape.Read(json.RawMessage(schema))
	require.NoError(t, err)
	values := url.Values{}
	for name, v := range posted {
		values.Set(name, v)
	}
	f := Of(payload)
	raw, ok := f.Read(values)
	return f, string(raw), ok
}

func errorsOf(f *Form) map[string]string {
	out := map[string]string{}
	for _, in := range f.Inputs {
		if in.Error != "" {
			out[in.Path] = in.Error
		}
	}
	return out
}

func TestAFormMakesThePayloadThatAPersonMeans(t *testing.T) {
	t.Parallel()
	_, raw, ok := filled(t, order, map[string]string{"in.id": "o-1 <&>", "in.total": "12345678901234567890", "in.cur": "USD", "in.items": "1\r\n\r\n2\n", "in.to.city": "Bern", "in.any": `{"a":[1]}`})
	require.True(t, ok)
	require.Equal(t, `{"id":"o-1 <&>","total":12345678901234567890,"cur":"USD","items":[1,2],"to":{"city":"Bern"},"any":{"a":[1]}}`, raw) //nolint:testifylint // as it is sent
	_, raw, ok = filled(t, order, map[string]string{"in.id": "o-1", "in.total": "1", "in.cur": "EUR"})
	require.True(t, ok, "an optional object that nobody began is left out, its required members too")
	require.Equal(t, `{"id":"o-1","total":1,"cur":"EUR","items":[]}`, raw) //nolint:testifylint // as it is sent
	_, raw, ok = filled(t, order, map[string]string{"in.total": "x", "output": ` {"id":7} `})
	require.True(t, ok, "JSON counts alone")
	require.Equal(t, `{"id":7}`, raw)
	_, raw, ok = filled(t, `{"type":"string"}`, map[string]string{"in.": "hello"})
	require.True(t, ok)
	require.Equal(t, `"hello"`, raw)
	_, raw, ok = filled(t, `{"type":"object"}`, nil)
	require.True(t, ok)
	require.Equal(t, `{}`, raw)
}

func TestAFormSaysAtTheFieldWhatIsWrong(t *testing.T) {
	t.Parallel()
	f, _, ok := filled(t, order, map[string]string{"in.id": "x", "in.total": "0", "in.cur": "CHF", "in.gift": "maybe", "in.items": "1\nsome", "in.to.zip": "3000", "in.any": "{"})
	require.False(t, ok)
	require.Equal(t, map[string]string{"id": "is too short: use at least 2 characters", "total": "is less than 1", "cur": "choose one of the values", "gift": "choose true or false",
		"items": "“some” is not a number", "to.city": "is missing", "any": "is not valid JSON: unexpected end of JSON input"}, errorsOf(f))
	require.Equal(t, "3000", f.Inputs[8].Value, "what was typed is kept")
	for _, text := range []string{"1.5", "1e3", "0x10", "NaN", "1_000", "\u202e1"} {
		f, _, ok = filled(t, order, map[string]string{"in.id": "o-1", "in.total": text, "in.cur": "EUR"})
		require.False(t, ok, text)
		require.NotEmpty(t, errorsOf(f)["total"], text)
	}
	f, _, ok = filled(t, order, map[string]string{"output": `{"a":1`})
	require.False(t, ok)
	require.NotEmpty(t, f.RawError)
}

// TestSecretsThatWereLeftAsTheyWereShownArePutBack, and only those.
func TestSecretsThatWereLeftAsTheyWereShownArePutBack(t *testing.T) {
	t.Parallel()
	own, shown := `{"a":12345678901234567890,"to":{"mail":"ada@x"},"cards":["1","2"]}`, `{"a":12345678901234567890,"to":{"mail":"[hidden]"},"cards":["[hidden]","[hidden]"]}`
	for written, want := range map[string]string{
		shown: "",
		` { "a": 12345678901234567890, "cards": ["[hidden]","[hidden]"], "to": {"mail":"[hidden]"} }`: "",
		`{"a":2,"to":{"mail":"[hidden]"},"cards":["[hidden]","[hidden]"]}`:                            `{"a":2,"to":{"mail":"ada@x"},"cards":["1","2"]}`,
		`{"a":12345678901234567890,"to":{"mail":"bob@x"},"cards":["[hidden]","9"]}`:                   `{"a":12345678901234567890,"to":{"mail":"bob@x"},"cards":["1","9"]}`,
		`{"b":1}`: `{"b":1}`,
		`"text"`:  `"text"`,
	} {
		got, err := Restore(json.RawMessage(written), json.RawMessage(shown), json.RawMessage(own))
		require.NoError(t, err)
		if want == "" {
			require.Nil(t, got, written)
			continue
		}
		require.JSONEq(t, want, string(got), written)
		if strings.Contains(want, "123") {
			require.Contains(t, string(got), "12345678901234567890")
		}
	}
}
