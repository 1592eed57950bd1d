package secret_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain/secret"
)

func TestSecretsAreRedactedAtAnyDepth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, secret string }{
		{`{"a":1,"card":"4111","l":[{"CARD":{"x":1}},2.50]}`, `{"a":1,"card":"•••","l":[{"CARD":"•••"},2.50]}`, "card"},
		{`{"a":{"b":"x","c":"y"},"b":1}`, `{"a":{"b":"•••","c":"y"},"b":1}`, "a.b"},
		{`{"n":12345678901234567890.10}`, `{"n":12345678901234567890.10}`, "x"},
		{`"plain"`, `"plain"`, "x"}, {`{"a":1}`, `"•••"`, "*"}, {`{broken`, `"•••"`, "x"}, {``, ``, "x"}, {`null`, `null`, "x"},
	} {
		require.Equal(t, c.want, string(secret.Redact(json.RawMessage(c.in), secret.Fields{c.secret})), c.in)
	}
	require.Equal(t, `{"a":1}`, string(secret.Redact(json.RawMessage(`{"a":1}`), nil)))
	texts := secret.Fields{"city", "who"}.Texts(json.RawMessage(`{"city":"Oslo","who":{"name":"Ann","pin":"1"},"n":[{"city":7}],"x":"y"}`), secret.Fields{"pin"})
	require.Equal(t, []string{"Oslo", "Ann", "7"}, texts)
}
