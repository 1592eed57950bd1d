package shape

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASchemaIsReadAsFieldsInItsOrder(t *testing.T) {
	t.Parallel()
	f, err := Read(json.RawMessage(`{"title":"order","type":"object","properties":{
		"z":{"type":"integer","minimum":1,"maximum":9,"examples":[4]},
		"a":{"type":"string","enum":["EUR","USD"],"default":"EUR","description":"Which <one>."},
		"items":{"type":["array","null"],"items":{"type":"object","properties":{"sku":{"type":"string","minLength":1,"x-search":true}}}},
		"card":{"type":"string","x-secret":true,"format":"uuid"},
		"labels":{"type":["object","null"],"additionalProperties":{"type":"string"}},
		"tree":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]},
		"raw":{}},
		"required":["z"],"$defs":{"node":{"title":"node","type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}`))
	require.NoError(t, err)
	var got []string
	f.Walk(func(f *Field) { got = append(got, f.Path+": "+f.Says()) })
	require.Equal(t, []string{
		"z: integer, 1 to 9", "a: text, one of EUR, USD, default EUR", "items: list of object", "items[].sku: text, at least 1 character, searched",
		"card: text (uuid), secret", "labels: map of text", "tree: object node", "tree.kids: list of any JSON (node)", "raw: any JSON"}, got)
	require.True(t, f.Fields[0].Required)
	require.True(t, f.Fields[2].Null)
	require.Equal(t, "4", string(f.Fields[0].Example))
}

func FuzzReadNeverEnds(f *testing.F) {
	for _, s := range []string{`{}`, `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}}`, `{"anyOf":[{"anyOf":[{"type":"null"}]}]}`, `{"type":["null"]}`,
		`{"properties":[],"type":"object"}`, `{"type":7}`, `{"type":"object","properties":{"a":null}}`, strings.Repeat(`{"items":`, 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if got, err := Read(json.RawMessage(raw)); err == nil {
			got.Walk(func(f *Field) { _ = f.Says() })
		}
	})
}
