package domain

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzWakeAsWritten holds the quick reader to encoding/json: what it reads, json reads alike.
func FuzzWakeAsWritten(f *testing.F) {
	for _, text := range []string{`{}`, `{"state":"running","due":"2026-01-02T03:04:05.6Z","instant":"2026-01-02T03:04:05Z","busy":true,"events":true,"node":"n/1"}`,
		`{"busy":false}`, `{"state":"a"x}`, `{"state":"a",}`, `{,}`, `{"busy":true"x":1}`, `{"state":7}`, `{"due":"x"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		quick, ok := asWritten(text)
		if !ok {
			return
		}
		var w Wake
		require.NoError(t, json.Unmarshal(text, &w), "%s", text)
		require.Equal(t, w, quick, "%s", text)
	})
}
