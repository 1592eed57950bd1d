package eventstoredb

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// transcript is a scenario that was recorded on a real server; testdata/wire/README.md has the
// format.
type transcript struct {
	Scenario, About string
	Calls           []recordedCall
}

// recordedCall is a call with what went over the wire, or a fact.
type recordedCall struct {
	Call, Note, Fact string
	Value            json.RawMessage
	Headers          map[string]string
	Log              []recordedFrame
	Status           *recordedStatus
}

// recordedFrame is a message; remarks, and word of messages that were left out, have neither.
type recordedFrame struct {
	Req, Res json.RawMessage
}

type recordedStatus struct {
	Code     int
	Message  string
	Trailers map[string]string
	Local    bool // the recorder ended the call
}

// transcripts reads the scenarios whose names begin with one of the prefixes.
func transcripts(t *testing.T, prefixes ...string) (all []transcript) {
	t.Helper()
	files, err := filepath.Glob("testdata/wire/*.json")
	require.NoError(t, err)
	sort.Strings(files)
	for _, file := range files {
		for _, p := range prefixes {
			if strings.HasPrefix(filepath.Base(file), p) {
				b, err := os.ReadFile(file)
				require.NoError(t, err)
				var s transcript
				require.NoError(t, json.Unmarshal(b, &s), file)
				all = append(all, s)
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

// requests and answers are the messages of one side.
func (c recordedCall) requests() (all []json.RawMessage) {
	for _, f := range c.Log {
		if f.Req != nil {
			all = append(all, f.Req)
		}
	}
	return all
}

func (c recordedCall) answers() (all []json.RawMessage) {
	for _, f := range c.Log {
		if f.Res != nil {
			all = append(all, f.Res)
		}
	}
	return all
}

// each returns the calls of which a batch call with several batches consists: each batch with its
// answer. One without an answer ended as the call did.
func (c recordedCall) each() (all []recordedCall) {
	if c.Call != "Streams.BatchAppend" || len(c.answers()) == 0 {
		return []recordedCall{c}
	}
	type correlated struct{ CorrelationID json.RawMessage }
	id := func(raw json.RawMessage) string {
		var m correlated
		_ = json.Unmarshal(raw, &m) // a batch without an id has none
		return string(m.CorrelationID)
	}
	answers := map[string]json.RawMessage{}
	for _, raw := range c.answers() {
		answers[id(raw)] = raw
	}
	for i, raw := range c.requests() {
		one := c
		if i > 0 {
			one.Note = fmt.Sprintf("%s, batch %d", c.Note, i+1)
		}
		one.Log = []recordedFrame{{Req: raw}}
		if answer := answers[id(raw)]; answer != nil {
			one.Log = append(one.Log, recordedFrame{Res: answer})
			one.Status = &recordedStatus{Local: true}
		} else if c.Status == nil || c.Status.Local {
			continue // its answer is among what was left out
		}
		all = append(all, one)
	}
	return all
}

var (
	big     = regexp.MustCompile(`"\$big:(\d+)"`)
	details = regexp.MustCompile(`"details":\s*\{`)
)

// fromWire makes a recorded message a protocol message.
func fromWire[M proto.Message](t *testing.T, raw json.RawMessage, m M) M {
	t.Helper()
	raw = big.ReplaceAllFunc(raw, func(b []byte) []byte {
		n, err := strconv.Atoi(string(big.FindSubmatch(b)[1]))
		require.NoError(t, err)
		return fmt.Appendf(nil, "%q", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a"), n)))
	})
	if details.Match(raw) {
		raw = batchError(t, raw)
	}
	require.NoError(t, protojson.Unmarshal(raw, m), "%s", raw)
	return m
}

// batchError puts the recorded form of a batch's error, in which the code is a name and the details
// are one message, into that of the Go types.
func batchError(t *testing.T, raw json.RawMessage) json.RawMessage {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(raw, &m))
	e, ok := m["error"].(map[string]any)
	if !ok {
		return raw
	}
	if name, ok := e["code"].(string); ok {
		e["code"] = code.Code_value[name]
	}
	e["details"] = []any{e["details"]}
	out, err := json.Marshal(m)
	require.NoError(t, err)
	return out
}
