package eventstoredb

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/atonehq/atone/domain"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files instead of comparing with them")

// eventAt is an event at the position.
func eventAt(p domain.Position) domain.Recorded {
	return domain.Recorded{NewEvent: event(`{}`), Stream: "s", Position: p}
}

// neverMade lists the recorded calls that the adapter never makes, with the reason.
const neverMade = "testdata/never_made.txt"

// TestTheAdapterOnRecordedServers makes the adapter make each recorded call that it can make. It
// compares the requests with the recorded ones, answers frame by frame, and compares what the
// adapter hands out with the frames.
func TestTheAdapterOnRecordedServers(t *testing.T) {
	t.Parallel()
	var never strings.Builder
	made := 0
	for _, s := range transcripts(t, "A", "B", "C", "D", "E", "F", "J", "K") {
		for i, c := range s.Calls {
			if c.Call == "" {
				continue // a fact, or a remark
			}
			for _, c := range c.each() {
				op, why := plan(t, c)
				name := fmt.Sprintf("%s/%d %s %s", s.Scenario, i, c.Call, c.Note)
				if op == nil {
					fmt.Fprintf(&never, "%s: %s\n", name, why)
					continue
				}
				made++
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					replayCall(t, c, op)
				})
			}
		}
	}
	require.Greater(t, made, 150)
	if *rewrite {
		require.NoError(t, os.WriteFile(neverMade, []byte(never.String()), 0o644))
	}
	want, err := os.ReadFile(neverMade)
	require.NoError(t, err)
	require.Equal(t, string(want), never.String(), "run with -rewrite, and look at what changed")
}

// replayCall replays one call.
func replayCall(t *testing.T, c recordedCall, op *operation) {
	server, log := replaying(t, c, op)
	ctx, cancel := context.WithCancel(contextFor(t))
	defer cancel()
	want := expected(t, c, op)
	var got []domain.Delivery
	enough := make(chan struct{})
	if len(want) == 0 {
		close(enough)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- op.run(ctx, log, func(d domain.Delivery) bool {
			if got = append(got, d); len(got) == len(want) {
				close(enough)
			}
			return true
		})
	}()
	var err error
	select {
	case err = <-ended:
	case <-server.answered:
		if op.subscription && transient(c) || c.Status == nil || c.Status.Local {
			<-enough
			if op.subscription {
				cancel()
			}
		}
		err = <-ended
	}
	server.check()
	checkEnd(t, c, op, server, err)
	require.Len(t, got, len(want))
	last := op.after
	for i, w := range want {
		if w.Event != nil && w.Event.ID != uuid.Nil {
			require.Equal(t, w.Event.ID, got[i].Event.ID)
			require.Equal(t, w.Event.Stream, got[i].Event.Stream)
		}
		if w.Event != nil {
			require.Equal(t, w.Event.Revision, got[i].Event.Revision)
		}
		require.Equal(t, w.CaughtUp, got[i].CaughtUp)
		require.Equal(t, w.Position, got[i].Position)
		require.LessOrEqual(t, got[i].Position, wire.MaxPosition, "no record can be there")
		if op.subscription {
			require.GreaterOrEqual(t, got[i].Position, last, "positions do not go backward")
			last = got[i].Position
		}
	}
}

// expected is what the frames say.
func expected(t *testing.T, c recordedCall, op *operation) (all []domain.Delivery) {
	t.Helper()
	last := op.after
	for i, raw := range c.answers() {
		if op.appends != nil {
			if d, ok := acknowledgement(t, c, raw); ok {
				all = append(all, d)
			} else if transient(c) || c.Call == "Streams.BatchAppend" && i < len(op.appends) && again(t, raw) {
				all = append(all, domain.Delivery{Position: 1, Event: &domain.Recorded{}})
			}
			continue
		}
		m := fromWire(t, raw, &api.ReadResp{})
		d := domain.Delivery{Position: last}
		switch content := m.GetContent().(type) {
		case *api.ReadResp_Event:
			if content.Event.GetEvent() == nil {
				continue // a link that leads nowhere
			}
			e := wire.Decode(content.Event.GetEvent())
			if wire.Tombstone(e) {
				continue
			}
			if op.exclusive && e.Position == op.after {
				continue // the server begins with it, the port after it
			}
			d.Event, d.Position = &e, e.Position
			if op.end {
				d.Event = nil
			}
		case *api.ReadResp_Checkpoint_:
			d.Position = domain.Position(content.Checkpoint.GetCommitPosition())
			if d.Position > wire.MaxPosition || d.Position <= last {
				continue
			}
		case *api.ReadResp_CaughtUp_:
			d.CaughtUp = true
		default:
			continue
		}
		if op.subscription {
			last = d.Position
		}
		all = append(all, d)
	}
	if op.end && transient(c) {
		all = append(all, domain.Delivery{}) // the answer to the second call
	}
	if op.appends != nil && len(c.answers()) == 0 && transient(c) {
		all = append(all, domain.Delivery{Position: 1, Event: &domain.Recorded{}})
	}
	return all
}

// acknowledgement is what an append with that answer returns.
func acknowledgement(t *testing.T, c recordedCall, raw []byte) (domain.Delivery, bool) {
	var revision, position uint64
	var ok bool
	if c.Call == "Streams.BatchAppend" {
		s := fromWire(t, raw, &api.BatchAppendResp{}).GetSuccess()
		revision, position, ok = s.GetCurrentRevision(), s.GetPosition().GetCommitPosition(), s != nil
	} else {
		s := fromWire(t, raw, &api.AppendResp{}).GetSuccess()
		revision, position, ok = s.GetCurrentRevision(), s.GetPosition().GetCommitPosition(), s != nil
	}
	return domain.Delivery{Position: wire.ReadPosition(position), Event: &domain.Recorded{Revision: revision}}, ok
}

// again reports whether a batch with that answer is sent again.
func again(t *testing.T, raw []byte) bool {
	e := fromWire(t, raw, &api.BatchAppendResp{}).GetError()
	var transient *nodes.TransientError
	return e != nil && errors.As((&batch{}).refusal(e), &transient)
}

// transient reports whether the call ended so that it is made again.
func transient(c recordedCall) bool {
	if c.Status == nil || c.Status.Local {
		return false
	}
	switch codes.Code(c.Status.Code) {
	case codes.Unavailable, codes.Aborted, codes.DeadlineExceeded:
		return true
	case codes.NotFound:
		return c.Status.Trailers["exception"] == nodes.ExceptionNotLeader
	case codes.Internal:
		return strings.Contains(c.Status.Message, "RST_STREAM")
	}
	return false
}

// checkEnd compares how the operation ended with the recorded status.
func checkEnd(t *testing.T, c recordedCall, op *operation, server *replayServer, err error) {
	t.Helper()
	s := c.Status
	switch {
	case op.subscription && (transient(c) || s == nil || s.Local):
		require.ErrorIs(t, err, context.Canceled)
	case transient(c):
		require.NoError(t, err)
		require.Greater(t, server.made, 1, "it is made again")
	case s == nil || s.Local || s.Code == 0:
		if op.appends != nil && err != nil {
			requireRefusal(t, c, err)
			return
		}
		require.NoError(t, err)
	case server.puzzle():
		require.Equal(t, codes.Unknown, status.Code(err))
		require.Equal(t, puzzles+1, server.made)
	case strings.Contains(s.Message, "InvalidPosition"), strings.Contains(s.Message, "invalid position"),
		strings.Contains(s.Message, "ReadAllResult: Error"):
		require.ErrorIs(t, err, domain.ErrBadPosition)
	case s.Trailers["exception"] == nodes.ExceptionStreamDeleted:
		require.ErrorIs(t, err, domain.ErrStreamDeleted)
	case s.Trailers["exception"] == nodes.ExceptionAppendTooLarge:
		require.ErrorIs(t, err, domain.ErrTooLarge)
	default:
		require.Equal(t, codes.Code(s.Code), status.Code(err), "%v", err)
	}
}

// requireRefusal requires that an append failed as its answer says.
func requireRefusal(t *testing.T, c recordedCall, err error) {
	t.Helper()
	text := string(c.answers()[len(c.answers())-1])
	for words, want := range map[string]error{"rongExpectedVersion": domain.ErrConflict, "StreamDeleted": domain.ErrStreamDeleted,
		"MaximumAppendSizeExceeded": domain.ErrTooLarge, "AccessDenied": domain.ErrAccessDenied} {
		if strings.Contains(text, words) {
			require.ErrorIs(t, err, want)
			return
		}
	}
	require.Contains(t, text, "BadRequest")
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}
