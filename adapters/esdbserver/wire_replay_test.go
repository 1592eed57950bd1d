package esdbserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

const (
	// answerWithin bounds the waiting for an answer that the real server gave.
	answerWithin = 15 * time.Second
	// quiet is how long a call that was silent is listened to before its client ends it.
	quiet = 20 * time.Millisecond
)

// replay sends the requests of a recording to a server of ours, each when the recorder had
// seen the answers before it, and keeps what comes back.
type replay struct {
	t      *testing.T
	rec    *recording
	node   *node
	conn   *grpc.ClientConn
	theirs *places
	ours   *places
	// known are the ids that the scenario gave out; named the streams that it names.
	known, named map[string]bool
	calls        map[*recordedCall]*replayedCall
	killed       bool
	// clock is how far the recording has come, in nanoseconds: the server's and the log's time.
	clock *atomic.Int64
}

func newReplay(t *testing.T, rec *recording, n *node, conn *grpc.ClientConn, clock *atomic.Int64) *replay {
	r := &replay{
		t: t, clock: clock, rec: rec, node: n, conn: conn, theirs: newPlaces(), ours: newPlaces(),
		known: rec.requestIDs(t), named: map[string]bool{}, calls: map[*recordedCall]*replayedCall{},
	}
	for _, c := range rec.Calls {
		stream := ""
		for _, f := range c.Log {
			tree := decoded(f.Req)
			walk(tree, "", func(key string, value any) any {
				if m, ok := value.(map[string]any); ok && key == "streamIdentifier" && m["streamName"] != nil {
					stream = wireStream(m)
					r.named[stream] = true
				}
				return value
			})
			r.theirs.learn(decoded(f.Res), stream)
		}
	}
	return r
}

func decoded(raw json.RawMessage) any {
	var tree any
	if raw != nil && json.Unmarshal(raw, &tree) != nil {
		return nil
	}
	return tree
}

// step is something that the recorder did, and when.
type step struct {
	at float64
	do func()
}

// run makes all of the recording's calls.
func (r *replay) run() {
	var steps []step
	add := func(at float64, do func()) { steps = append(steps, step{at, do}) }
	for _, c := range r.rec.Calls {
		if c.Call == "" {
			continue
		}
		add(c.At, func() { r.open(c) })
		sent := 0
		for i, f := range c.Log {
			at := c.At + f.Ms
			switch {
			case f.Req != nil:
				sent++
				last := !slices.ContainsFunc(c.Log[i+1:], func(f *recordedFrame) bool { return f.Req != nil })
				add(at, func() { r.send(c, f.Req, last) })
			case f.Elided > 0 && i > 0 && c.Log[i-1].Req != nil:
				before := c.Log[i-1]
				add(c.At+before.Ms, func() { r.fill(c, before.Req, f.Elided) })
			case f.Mark == "client cancels":
				add(at, func() { r.cancel(c, at) })
			case f.Mark == "SIGTERM", f.Mark == "SIGKILL", f.Mark == "SIGKILL of the leader":
				add(at, func() { r.killed = true; r.node.stop() })
			case f.Mark != "":
				r.addMarked(add, at, f.Mark)
			}
		}
		if sent == 0 {
			add(c.At, func() { r.closeSend(c) })
		}
	}
	r.addUnlisted(add)
	slices.SortStableFunc(steps, func(a, b step) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	for _, s := range steps {
		// what falls due by then does so first
		r.clock.Store(int64(s.at * float64(time.Millisecond)))
		r.await(s.at)
		s.do()
	}
	for _, c := range r.calls {
		c.end(r.expected(c.rec, c.rec.At+1e12))
	}
}

// open begins a call.
func (r *replay) open(c *recordedCall) {
	live := &replayedCall{replay: r, rec: c, method: wireMethodOf(c.Call), changed: make(chan struct{})}
	r.calls[c] = live
	switch {
	case c.elsewhere():
		live.skipped = "there is one node"
		return
	case r.killed:
		live.skipped = "the server was killed"
		return
	}
	r.prepare(c)
	ctx, cancel := context.WithCancel(context.Background())
	r.t.Cleanup(cancel)
	live.cancel = cancel
	for k, v := range c.Headers {
		ctx = metadata.AppendToOutgoingContext(ctx, k, v)
	}
	if c.User != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", basic(c))
	}
	stream, err := r.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, live.method.path)
	if err != nil {
		live.finish(err, nil)
		return
	}
	live.stream = stream
	go live.receive()
}

// send sends a request with its positions made ours. The last of a request that has an end
// ends it; the others' clients keep theirs open.
func (r *replay) send(c *recordedCall, raw json.RawMessage, last bool) {
	live := r.calls[c]
	if live.stream == nil {
		return
	}
	msg := live.method.request(r.t, raw)
	if reason := r.translate(c, msg.ProtoReflect()); reason != "" {
		live.skipped = reason
		live.cancel()
		return
	}
	r.shiftDeadline(c, msg)
	r.translateIDs(msg)
	_ = live.stream.SendMsg(msg) // an error here is the call's end, which receive sees
	if option, ok := mapIn(decoded(raw), "options"); ok && option["subscription"] != nil && c.firstAnswer() != nil {
		r.closeSend(c)
		live.waitFor(1, false) // where "the end" is, is settled then
	}
	if last && c.Call != "Streams.BatchAppend" && c.Call != "PS.Read" || strings.Contains(c.Note, "client ends its side") {
		r.closeSend(c)
	}
}

func (r *replay) closeSend(c *recordedCall) {
	if live := r.calls[c]; live.stream != nil {
		_ = live.stream.CloseSend()
	}
}

// fill stands for requests that the recording leaves out: events like the one before, with new ids.
func (r *replay) fill(c *recordedCall, raw json.RawMessage, n int) {
	live := r.calls[c]
	for range n {
		if live.stream == nil {
			return
		}
		tree := walk(decoded(raw), "", func(key string, value any) any {
			if _, ok := value.(map[string]any); ok && (key == "id" || key == "correlationId") {
				return map[string]any{"string": uuid.NewString()}
			}
			return value
		})
		data, err := json.Marshal(tree)
		require.NoError(r.t, err)
		_ = live.stream.SendMsg(live.method.request(r.t, data))
	}
}

// cancel ends a call as the recorder did, after listening for what should not come.
func (r *replay) cancel(c *recordedCall, at float64) {
	if live := r.calls[c]; live.stream != nil {
		time.Sleep(quiet)
		live.end(r.expected(c, at))
	}
}

// await waits until every call has had the answers that it had in the recording at that time.
func (r *replay) await(at float64) {
	for _, c := range r.rec.Calls {
		if live := r.calls[c]; live != nil && live.stream != nil && live.skipped == "" {
			live.waitFor(r.expected(c, at), c.Status != nil && !c.Status.Local && c.At+c.Status.Ms <= at)
		}
	}
}

// expected counts the answers, comparable ones, that the recorder had seen at the time.
func (r *replay) expected(c *recordedCall, at float64) int {
	n := 0
	for _, f := range c.Log {
		if f.Res != nil && c.At+f.Ms <= at && r.comparable(decoded(f.Res)) {
			n++
		}
	}
	return n
}

// comparable reports whether the answer is compared one to one: checkpoints come as they
// please, and each server has events of its own.
func (r *replay) comparable(tree any) bool {
	m, _ := tree.(map[string]any)
	return m["checkpoint"] == nil && !ownEvent(tree, r.named)
}

// String tells a call in messages.
func (c *recordedCall) String() string { return fmt.Sprintf("%s %q at %.1f", c.Call, c.Note, c.At) }
