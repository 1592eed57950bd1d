package definition_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/saga/internal/definition"
)

// TestWhatASchemaRequiresMustBeGiven where JSON comes without its Go type: it would otherwise be
// made up.
func TestWhatASchemaRequiresMustBeGiven(t *testing.T) {
	t.Parallel()
	type item struct {
		Name string `json:"name"`
	}
	type all struct {
		N int `json:"n,omitempty"`
	}
	type some struct {
		N     int    `json:"n"`
		Items []item `json:"items,omitempty"`
		Maybe *item  `json:"maybe"`
	}
	for _, c := range []struct {
		of        definition.Payload
		raw, want string
	}{
		{definition.PayloadOf[some](), "", "of the type definition_test.some, with n, and none was given"},
		{definition.PayloadOf[some](), "null", "of the type definition_test.some, with n, and none was given"},
		{definition.PayloadOf[some](), `{}`, "the input lacks n ("},
		{definition.PayloadOf[some](), `{"maybe":null}`, "the input lacks n ("},
		{definition.PayloadOf[some](), `{"n":null,"maybe":{}}`, "the input lacks n, maybe.name"},
		{definition.PayloadOf[some](), `{"N":1,"maybe":{"name":"a"},"items":[{"name":"b"},{}]}`, "lacks items[1].name"},
		{definition.PayloadOf[some](), `{"n":0,"maybe":null}`, ""},
		{definition.PayloadOf[string](), "", "the input must be of the type string (text)"},
		{definition.PayloadOf[bool](), "null", "of the type bool (true or false), and none was given"},
		{definition.PayloadOf[float64](), "0", ""},
		{definition.PayloadOf[all](), "null", ""},
		{definition.PayloadOf[all](), "{}", ""},
		{definition.PayloadOf[*some](), "null", ""},
		{definition.PayloadOf[*some](), "{}", "the input lacks n ("},
		{definition.PayloadOf[[]string](), "", ""},
		{definition.PayloadOf[any](), "", ""},
		{definition.PayloadOf[struct{}](), "", ""},
	} {
		err := c.of.Complete("input", json.RawMessage(c.raw))
		if c.want == "" {
			require.NoError(t, err, "%s %s", c.of.Name, c.raw)
			continue
		}
		require.ErrorContains(t, err, c.want, "%s %s", c.of.Name, c.raw)
	}
}
