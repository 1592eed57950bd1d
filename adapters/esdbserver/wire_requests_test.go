package esdbserver_test

import (
	"context"
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/atonehq/atone/domain"
)

// noPlaceBetween says why a call is not made whose position is not a record's: here positions are
// the numbers of events, with nothing between them.
const noPlaceBetween = "no position lies between two records"

// translate replaces the positions in a request by ours. It returns why that is not possible.
func (r *replay) translate(c *recordedCall, m protoreflect.Message) (reason string) {
	fields := m.Descriptor().Fields()
	commit, prepare := fields.ByName("commit_position"), fields.ByName("prepare_position")
	if commit != nil && prepare != nil {
		at, off := m.Get(commit).Uint(), m.Get(prepare).Uint()
		ours, ok := r.positionHere(at)
		if !ok {
			if strings.HasPrefix(c.Call, "PS.") {
				return "" // a group may begin anywhere
			}
			return noPlaceBetween
		}
		m.Set(commit, protoreflect.ValueOfUint64(ours))
		switch here, known := r.positionHere(off); {
		case known:
			m.Set(prepare, protoreflect.ValueOfUint64(here))
		case off > at && off-at < 100:
			m.Set(prepare, protoreflect.ValueOfUint64(ours+off-at))
		}
		return ""
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() != nil && !f.IsMap() && !f.IsList() {
			reason = r.translate(c, v.Message())
		}
		return reason == ""
	})
	return reason
}

// positionHere returns our position for a recorded one. Very high ones are meant as such.
func (r *replay) positionHere(at uint64) (uint64, bool) {
	if at == 0 || at >= 1<<61 {
		return at, true
	}
	r.learnOurs()
	if here, ok := r.ours.at[r.theirs.name(at)]; ok {
		return here, true
	}
	for near := range uint64(10) { // just beside a record
		for _, other := range []uint64{at + near, at - near} {
			if here, ok := r.ours.at[r.theirs.name(other)]; ok {
				return here + at - other, true
			}
		}
	}
	if at < 10 {
		return at, true
	}
	if at > r.theirs.max {
		for e, err := range r.node.log.ReadAllBackward(context.Background(), domain.EndPosition, domain.Filter{}) {
			require.NoError(r.t, err)
			return uint64(e.Position) + at - r.theirs.max, true
		}
	}
	return 0, false
}

func (r *replay) learnOurs() {
	for _, c := range r.rec.Calls {
		if live := r.calls[c]; live != nil {
			for _, tree := range live.answers() {
				r.ours.learn(tree, c.stream())
			}
		}
	}
}

// translateIDs replaces the ids of links that the server made, in what a consumer says of
// them, by those of our links in the same place.
func (r *replay) translateIDs(msg proto.Message) {
	req, ok := msg.(*persistent.ReadReq)
	if !ok {
		return
	}
	r.learnOurs()
	for _, id := range append(req.GetAck().GetIds(), req.GetNack().GetIds()...) {
		text, ok := id.GetValue().(*shared.UUID_String_)
		if !ok || r.known[strings.ToLower(text.String_)] {
			continue
		}
		if here := r.ours.idAt[r.theirs.placeOf[text.String_]]; here != "" {
			text.String_ = here
		}
	}
}

// stream is the one that the call names, if it names one.
func (c *recordedCall) stream() string {
	for _, f := range c.Log {
		options, _ := mapIn(decoded(f.Req), "options")
		if id, ok := mapIn(options, "streamIdentifier"); ok {
			return wireStream(id)
		}
		of, _ := mapIn(options, "stream")
		if id, ok := mapIn(of, "streamIdentifier"); ok {
			return wireStream(id)
		}
	}
	return ""
}

var fromNow = regexp.MustCompile(`now ([+-]) (\d+) (ms|s|h)`)

// shiftDeadline makes an absolute deadline as far from now as it was from then.
func (r *replay) shiftDeadline(c *recordedCall, msg proto.Message) {
	b, ok := msg.(*streams.BatchAppendReq)
	if !ok {
		return
	}
	option, ok := b.GetOptions().GetDeadlineOption().(*streams.BatchAppendReq_Options_Deadline_21_10_0)
	if m := fromNow.FindStringSubmatch(c.Note); ok && m != nil {
		d, err := time.ParseDuration(m[1] + m[2] + m[3])
		require.NoError(r.t, err)
		if result, ok := mapIn(decoded(c.firstAnswer()), "error"); ok && result["message"] == "Timeout" && d > 0 {
			d = -d // the real server got it too late
		}
		option.Deadline_21_10_0 = timestamppb.New(time.Now().Add(d))
	}
}

var (
	stateHint  = regexp.MustCompile(`\b(existing|soft|soft-deleted|tomb|tombstoned)\b`)
	actualHint = regexp.MustCompile(`Actual version: (\d+)`)
)

// prepare brings a stream that no listed call has written into the state that the call's
// note tells: what the recorder did before is not always listed.
func (r *replay) prepare(c *recordedCall) {
	stream, hint := c.stream(), stateHint.FindString(c.Note)
	if hint == "" || stream == "" || strings.HasPrefix(stream, "$") || r.writtenBefore(c, stream) {
		return
	}
	count := 2
	if m := actualHint.FindStringSubmatch(c.Status.Message); m != nil {
		last, err := strconv.Atoi(m[1])
		require.NoError(r.t, err)
		count = last + 1
	}
	if success, ok := mapIn(decoded(c.firstAnswer()), "success"); ok && strings.HasPrefix(hint, "soft") {
		count = int(wireNumber(success["currentRevision"])) // one event is appended to it
	}
	for range count {
		r.write(stream, domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte("{}")})
	}
	client := streams.NewStreamsClient(r.conn)
	id := &shared.StreamIdentifier{StreamName: []byte(stream)}
	var err error
	switch {
	case strings.HasPrefix(hint, "soft"):
		_, err = client.Delete(context.Background(), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
			StreamIdentifier: id, ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}}})
	case strings.HasPrefix(hint, "tomb"):
		_, err = client.Tombstone(context.Background(), &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
			StreamIdentifier: id, ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}}}})
	}
	require.NoError(r.t, err)
}

func (c *recordedCall) firstAnswer() []byte {
	for _, f := range c.Log {
		if f.Res != nil {
			return f.Res
		}
	}
	return nil
}

// writtenBefore reports whether a call that the recording lists before c names the stream
// and is no mere reading.
func (r *replay) writtenBefore(c *recordedCall, stream string) bool {
	for _, other := range r.rec.Calls {
		if other.Call != "" && other.At < c.At && other.Call != "Streams.Read" && other.stream() == stream {
			return true
		}
	}
	return false
}

// basic returns the credentials of the call's user; the recording keeps no passwords.
func basic(c *recordedCall) string {
	password := map[string]string{"admin": "changeit", "app": "Secret1!"}[c.User]
	if password == "" || strings.Contains(c.Note, "wrong password") {
		password = "wrong"
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.User+":"+password))
}
