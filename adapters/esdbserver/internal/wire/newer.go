package wire

import (
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Fields that KurrentDB 25.1 adds to messages. The client module's version of the protocol lacks
// them; older clients ignore fields that they do not know.
const (
	caughtUpTimestamp   protowire.Number = 1
	caughtUpRevision    protowire.Number = 2 // of a stream
	caughtUpPosition    protowire.Number = 3 // in all streams
	positionCommit      protowire.Number = 1
	positionPrepare     protowire.Number = 2
	checkpointTimestamp protowire.Number = 3
)

// CaughtUp says when a subscription has caught up, and where: at a position in all streams, at a
// stream's revision, or, where both are negative, at no event at all.
func CaughtUp(now time.Time, position, revision int64) *streams.ReadResp {
	b := appendTimestamp(nil, caughtUpTimestamp, now)
	if revision >= 0 {
		b = protowire.AppendTag(b, caughtUpRevision, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(revision))
	}
	if position >= 0 {
		var at []byte
		at = protowire.AppendTag(at, positionCommit, protowire.VarintType)
		at = protowire.AppendVarint(at, uint64(position))
		at = protowire.AppendTag(at, positionPrepare, protowire.VarintType)
		at = protowire.AppendVarint(at, uint64(position))
		b = protowire.AppendTag(b, caughtUpPosition, protowire.BytesType)
		b = protowire.AppendBytes(b, at)
	}
	m := &streams.ReadResp_CaughtUp{}
	m.ProtoReflect().SetUnknown(b)
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: m}}
}

// Checkpoint says how far a filtered subscription has come, and when.
func Checkpoint(now time.Time, position uint64) *streams.ReadResp {
	m := &streams.ReadResp_Checkpoint{CommitPosition: position, PreparePosition: position}
	m.ProtoReflect().SetUnknown(appendTimestamp(nil, checkpointTimestamp, now))
	return &streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: m}}
}

func appendTimestamp(b []byte, field protowire.Number, t time.Time) []byte {
	data, err := proto.Marshal(timestamppb.New(t))
	if err != nil { // a message of two numbers
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), data)
}
