package httpcall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
	"github.com/atonehq/atone/saga/verdict"
)

// reply reads an answer. hidden are secrets of the call, which an answer may repeat.
func (c *Caller) reply(call data.Call, res *http.Response, hidden map[string]string) (data.Reply, error) {
	reply := data.Reply{Status: res.StatusCode, Copied: verdict.Copied(res)}
	raw, err := io.ReadAll(io.LimitReader(res.Body, c.config.MaxAnswer+1))
	long := int64(len(raw)) > c.config.MaxAnswer
	if success := res.StatusCode >= 200 && res.StatusCode < 300; success && (err != nil || long) {
		if err == nil {
			err = fmt.Errorf("the answer has more than %d bytes", c.config.MaxAnswer)
		}
		return reply, saga.InDoubt(without(call, fmt.Errorf("answered with %d, but the answer can't be read: %w", res.StatusCode, err)))
	}
	if long {
		raw = raw[:c.config.MaxAnswer]
	}
	for value, name := range hidden {
		raw = bytes.ReplaceAll(raw, []byte(value), []byte(name))
	}
	res.Body = io.NopCloser(bytes.NewReader(raw))
	reply.Meaning = verdict.Response(res)
	switch trimmed := bytes.TrimSpace(raw); {
	case len(trimmed) == 0:
	case json.Valid(trimmed):
		reply.Body = trimmed
	default:
		reply.Body, err = json.Marshal(strings.ToValidUTF8(string(raw), "\uFFFD"))
		if err != nil {
			return reply, saga.InDoubt(err)
		}
	}
	return reply, nil
}
