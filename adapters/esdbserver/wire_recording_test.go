package esdbserver_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	rpccode "google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// recordedWire is the folder of the repository's recordings.
const recordedWire = "../eventstoredb/testdata/wire"

// wireDir holds recordings of a real server; another folder of such files can be replayed with
// -wire.
var wireDir = flag.String("wire", recordedWire, "a folder of recorded scenarios")

// recording is one scenario as a real server answered it. The format is described beside the files.
type recording struct {
	Scenario, About, Server string
	Calls                   []*recordedCall
}

// recordedCall is one call, or, where Fact is set, something that the recorder found out.
type recordedCall struct {
	Call, Note, User, Node string
	Headers                map[string]string
	At                     float64
	Log                    []*recordedFrame
	Status                 *recordedStatus

	Fact  string
	Value json.RawMessage
}

type recordedFrame struct {
	Ms       float64
	Req, Res json.RawMessage
	Mark     string
	Elided   int
}

type recordedStatus struct {
	Code     int
	Message  string
	Trailers map[string]string
	// Local is true where the recorder ended the call.
	Local bool
	Ms    float64
}

// recordings returns the scenarios in the folder whose names begin as asked.
func recordings(t *testing.T) map[string]*recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(*wireDir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recordings in %s", *wireDir)
	out := map[string]*recording{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		r := &recording{}
		require.NoError(t, json.Unmarshal(data, r), file)
		out[r.Scenario] = r
	}
	return out
}

// wireMethod says what a recorded name of a call stands for.
type wireMethod struct {
	path     string
	req, res func() proto.Message
}

func wireOf[Q, R proto.Message](path string, q Q, r R) wireMethod {
	return wireMethod{"/event_store.client." + path,
		func() proto.Message { return q.ProtoReflect().New().Interface() },
		func() proto.Message { return r.ProtoReflect().New().Interface() }}
}

const wireGroups = "persistent_subscriptions.PersistentSubscriptions/"

// wireMethods are the calls whose messages the client's module knows. Others are made with
// empty messages: their services are not served here.
var wireMethods = map[string]wireMethod{
	"Streams.Read":                 wireOf("streams.Streams/Read", &streams.ReadReq{}, &streams.ReadResp{}),
	"Streams.Append":               wireOf("streams.Streams/Append", &streams.AppendReq{}, &streams.AppendResp{}),
	"Streams.BatchAppend":          wireOf("streams.Streams/BatchAppend", &streams.BatchAppendReq{}, &streams.BatchAppendResp{}),
	"Streams.Delete":               wireOf("streams.Streams/Delete", &streams.DeleteReq{}, &streams.DeleteResp{}),
	"Streams.Tombstone":            wireOf("streams.Streams/Tombstone", &streams.TombstoneReq{}, &streams.TombstoneResp{}),
	"PS.Create":                    wireOf(wireGroups+"Create", &persistent.CreateReq{}, &persistent.CreateResp{}),
	"PS.Update":                    wireOf(wireGroups+"Update", &persistent.UpdateReq{}, &persistent.UpdateResp{}),
	"PS.Delete":                    wireOf(wireGroups+"Delete", &persistent.DeleteReq{}, &persistent.DeleteResp{}),
	"PS.Read":                      wireOf(wireGroups+"Read", &persistent.ReadReq{}, &persistent.ReadResp{}),
	"PS.GetInfo":                   wireOf(wireGroups+"GetInfo", &persistent.GetInfoReq{}, &persistent.GetInfoResp{}),
	"PS.List":                      wireOf(wireGroups+"List", &persistent.ListReq{}, &persistent.ListResp{}),
	"PS.ReplayParked":              wireOf(wireGroups+"ReplayParked", &persistent.ReplayParkedReq{}, &persistent.ReplayParkedResp{}),
	"PS.RestartSubsystem":          wireOf(wireGroups+"RestartSubsystem", &shared.Empty{}, &shared.Empty{}),
	"Features.GetSupportedMethods": wireOf("server_features.ServerFeatures/GetSupportedMethods", &shared.Empty{}, &serverfeatures.SupportedMethods{}),
	"Gossip.Read":                  wireOf("gossip.Gossip/Read", &shared.Empty{}, &gossip.ClusterInfo{}),
}

func wireMethodOf(call string) wireMethod {
	if m, ok := wireMethods[call]; ok {
		return m
	}
	service, method, _ := strings.Cut(call, ".")
	return wireOf(strings.ToLower(service)+"."+service+"/"+method, &emptypb.Empty{}, &emptypb.Empty{})
}

// request reads a recorded request. Positions are still the recorded ones.
func (m wireMethod) request(t *testing.T, raw json.RawMessage) proto.Message {
	t.Helper()
	msg := m.req()
	unmarshalWire(t, raw, msg)
	return msg
}

var bigValue = regexp.MustCompile(`^\$big:(\d+)$`)

// unmarshalWire reads a recorded message. Three forms are not proto3 JSON: placeholders of
// big values, and durations and times out of the range that proto3 JSON has.
func unmarshalWire(t *testing.T, raw json.RawMessage, msg proto.Message) {
	t.Helper()
	var tree any
	require.NoError(t, json.Unmarshal(raw, &tree))
	var odd func(*streams.BatchAppendReq_Options)
	tree = walk(tree, "", func(key string, value any) any {
		if key == "details" {
			return []any{value} // one message there, a list of one in google.rpc.Status
		}
		text, ok := value.(string)
		if !ok {
			return value
		}
		if m := bigValue.FindStringSubmatch(text); m != nil {
			n, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			content := strings.Repeat("a", n)
			if key == "data" || key == "customMetadata" || key == "streamName" {
				content = base64.StdEncoding.EncodeToString([]byte(content))
			}
			return content
		}
		switch {
		case key == "code":
			return float64(rpccode.Code_value[text])
		case key == "deadline":
			seconds, err := strconv.ParseFloat(strings.TrimSuffix(text, "s"), 64)
			require.NoError(t, err)
			whole := int64(seconds)
			odd = func(o *streams.BatchAppendReq_Options) {
				o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: &durationpb.Duration{
					Seconds: whole, Nanos: int32((seconds - float64(whole)) * 1e9)}}
			}
			return "1s"
		case key == "deadline21100" && strings.HasPrefix(text, "+"):
			odd = func(o *streams.BatchAppendReq_Options) {
				o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: &timestamppb.Timestamp{Seconds: 253402300800}}
			}
			return "1970-01-01T00:00:00Z"
		}
		return value
	})
	data, err := json.Marshal(tree)
	require.NoError(t, err)
	_, unknown := msg.(*emptypb.Empty)
	require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: unknown}.Unmarshal(data, msg), "%.300s", data)
	if b, ok := msg.(*streams.BatchAppendReq); ok && odd != nil {
		odd(b.GetOptions())
	}
}

// walk rebuilds a JSON tree, passing each member and element through f from the inside out.
func walk(v any, key string, f func(key string, value any) any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			v[k] = walk(child, k, f)
		}
	case []any:
		for i, child := range v {
			v[i] = walk(child, key, f)
		}
	}
	return f(key, v)
}

// elsewhere reports whether the call went to a node of which there is none here.
func (c *recordedCall) elsewhere() bool { return c.Node != "" && c.Node != "leader" }

// requestIDs returns the event ids that the recording's requests name, in their canonical form.
func (r *recording) requestIDs(t *testing.T) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, c := range r.Calls {
		for _, f := range c.Log {
			if f.Req == nil || c.elsewhere() {
				continue
			}
			var tree any
			require.NoError(t, json.Unmarshal(f.Req, &tree))
			walk(tree, "", func(key string, value any) any {
				if m, ok := value.(map[string]any); ok && (key == "id") {
					if id, err := uuid.Parse(wireID(m)); err == nil {
						ids[id.String()] = true
					}
				}
				return value
			})
		}
	}
	return ids
}

func wireText(v any) string {
	s, _ := v.(string)
	return s
}
