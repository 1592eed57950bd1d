package webui_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// TestWhatWouldComeBackOtherwiseIsRefusedByThePage fills in forms, and finds nothing written.
func TestWhatWouldComeBackOtherwiseIsRefusedByThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	waits, stuck := w.waiting("w-1"), w.stuck("s-1")
	w.settled()
	events := func() (n int) {
		for _, id := range []domain.RunID{waits, stuck} {
			for _, err := range w.log.ReadStream(t.Context(), domain.RunStream(id), 0) {
				require.NoError(t, err)
				n++
			}
		}
		return n
	}
	before := events()
	for name, c := range map[string]struct {
		act  string
		form url.Values
	}{
		"a member twice in a payload":  {"signal", url.Values{"signal": {"approve"}, "output": {`{"a":1,"a":2}`}}},
		"no JSON":                      {"signal", url.Values{"signal": {"approve"}, "output": {`{`}}},
		"bytes that are no UTF-8":      {"signal", url.Values{"signal": {"approve"}, "output": {"\"\xff\""}}},
		"a byte order mark":            {"signal", url.Values{"signal": {"approve"}, "output": {"\ufeff1"}}},
		"a control character":          {"signal", url.Values{"signal": {"app\x00rove"}, "output": {"1"}}},
		"a reason with an escape":      {"pause", url.Values{"reason": {"\x1b[31m"}}},
		"a reason that is no UTF-8":    {"cancel", url.Values{"reason": {"\xc3("}}},
		"an output with a twin":        {"substitute", url.Values{"reason": {"r"}, "output": {`{"a":{"b":1,"b":2}}`}}},
		"a form larger than a payload": {"signal", url.Values{"signal": {"approve"}, "output": {`"` + strings.Repeat("x", 2<<20) + `"`}}},
	} {
		id := waits
		if c.act == "substitute" {
			id = stuck
		}
		status, body, _ := w.post("/ui/runs/"+id.String()+"/lever/"+c.act, c.form)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %.300s", name, body)
	}
	require.Equal(t, before, events(), "nothing was written")
	status, body, _ := w.post("/ui/runs/"+waits.String()+"/lever/pause", url.Values{"reason": {"two\r\n\tlines"}})
	require.Less(t, status, 400, body)
}
