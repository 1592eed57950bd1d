package esdbserver_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/atonehq/atone/domain"
)

const (
	// answerWithin bounds the waiting for an answer that the real server gave.
	answerWithin = 3 * time.Second
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

// replayedCall is a call as it goes on here.
type replayedCall struct {
	replay *replay
	rec    *recordedCall
	method wireMethod
	stream grpc.ClientStream
	cancel context.CancelFunc

	mu      sync.Mutex
	changed chan struct{}
	got     []json.RawMessage
	// counted are those of them that are compared one to one.
	counted int
	ended   bool
	// late is true once something did not come in time: it is not waited for again.
	late bool
	// cancelled is true once the client has ended the call, which is then no answer.
	cancelled bool
	status    *status.Status
	trailers  metadata.MD
	// skipped says why the call was not made.
	skipped string
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
		r.clock.Store(int64(s.at * float64(time.Millisecond))) // what falls due by then does so first
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

func (c *replayedCall) receive() {
	for {
		msg := c.method.res()
		err := c.stream.RecvMsg(msg)
		if err != nil {
			c.finish(err, c.stream.Trailer())
			return
		}
		answer, err := protojson.Marshal(msg)
		if err != nil {
			c.finish(err, nil)
			return
		}
		counts := c.replay.comparable(decoded(answer))
		c.mu.Lock()
		c.got = append(c.got, answer)
		if counts {
			c.counted++
		}
		c.wake()
		c.mu.Unlock()
	}
}

func (c *replayedCall) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *replayedCall) finish(err error, trailers metadata.MD) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && err.Error() == "EOF" {
		err = nil
	}
	c.status, c.trailers, c.ended = status.Convert(err), trailers, true
	c.wake()
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

// end gives the answers that are still expected their time, then ends the call unless it has
// ended by itself.
func (c *replayedCall) end(expected int) {
	if c.stream == nil {
		return
	}
	c.waitFor(expected, c.rec.Status == nil || !c.rec.Status.Local)
	c.mu.Lock()
	c.cancelled = c.cancelled || !c.ended
	c.late = false
	c.mu.Unlock()
	c.cancel()
	c.waitFor(0, true)
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

// waitFor waits, for a bounded time, until n comparable answers are there and, if asked, the end.
func (c *replayedCall) waitFor(n int, end bool) {
	late := time.After(answerWithin)
	for {
		c.mu.Lock()
		changed := c.changed
		done := c.ended || c.late || c.counted >= n && !end
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-late:
			c.mu.Lock()
			c.late = true
			c.mu.Unlock()
			return
		}
	}
}

// answers returns what came, as trees.
func (c *replayedCall) answers() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]any, 0, len(c.got))
	for _, raw := range c.got {
		out = append(out, decoded(raw))
	}
	return out
}

var marked = regexp.MustCompile(`^(\d+) appends of 1 to (\S+)$`)

// addMarked adds what the recorder says that it did beside the calls that are listed.
func (r *replay) addMarked(add func(float64, func()), at float64, mark string) {
	m := marked.FindStringSubmatch(mark)
	if m == nil {
		return
	}
	n, err := strconv.Atoi(m[1])
	require.NoError(r.t, err)
	add(at, func() {
		for range n {
			r.write(m[2], domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte("{}")})
		}
	})
}

func (r *replay) write(stream string, events ...domain.NewEvent) {
	r.t.Helper()
	_, err := r.node.log.Append(context.Background(), stream, domain.AnyRevision, events...)
	require.NoError(r.t, err)
}

// addUnlisted adds the appends that no call of the recording shows, but whose events do
// appear: each just before it is seen first.
func (r *replay) addUnlisted(add func(float64, func())) {
	first := map[string]*unlisted{}
	for _, c := range r.rec.Calls {
		for _, f := range c.Log {
			read, _ := mapIn(decoded(f.Res), "event")
			event, ok := mapIn(read, "event")
			stream := wireStream(event["streamIdentifier"])
			id := strings.ToLower(wireID(event["id"]))
			meta, _ := mapIn(event, "metadata")
			if !ok || r.known[id] || strings.HasPrefix(stream, "$") || strings.HasPrefix(wireText(meta["type"]), "$") {
				continue
			}
			if u := first[id]; u == nil || c.At+f.Ms < u.at {
				first[id] = &unlisted{c.At + f.Ms, event}
			}
		}
	}
	ordered := slices.Collect(maps.Values(first))
	slices.SortFunc(ordered, func(a, b *unlisted) int { return cmp.Compare(a.position(), b.position()) })
	for i := len(ordered) - 1; i >= 0; i-- { // none later than one behind it in the log
		u := ordered[i]
		u.at = r.writtenAt(u.at, u.position())
		if i+1 < len(ordered) {
			u.at = min(u.at, ordered[i+1].at)
		}
	}
	for _, u := range ordered {
		r.known[strings.ToLower(wireID(u.event["id"]))] = true
		add(u.at, func() { r.writeUnlisted(u.event) })
	}
}

// unlisted is an event that some call shows and none appends.
type unlisted struct {
	at    float64 // seen first, or written
	event map[string]any
}

func (u *unlisted) position() uint64 { return wireNumber(u.event["commitPosition"]) }

// writeUnlisted appends the event, after others that nobody has seen where its number asks for them.
func (r *replay) writeUnlisted(event map[string]any) {
	stream := wireStream(event["streamIdentifier"])
	next := uint64(0)
	for e, err := range r.node.log.ReadStreamBackward(context.Background(), stream, domain.End) {
		require.NoError(r.t, err)
		next = e.Revision + 1
		break
	}
	for ; next < wireNumber(event["streamRevision"]); next++ {
		r.write(stream, domain.NewEvent{ID: uuid.New(), Type: "T", Data: []byte("{}")})
	}
	var content struct{ Data, CustomMetadata []byte }
	raw, err := json.Marshal(event)
	require.NoError(r.t, err)
	require.NoError(r.t, json.Unmarshal(raw, &content))
	meta, _ := mapIn(event, "metadata")
	r.write(stream, domain.NewEvent{
		ID: uuid.MustParse(wireID(event["id"])), Type: wireText(meta["type"]), Data: content.Data, Metadata: content.CustomMetadata,
		Binary: meta["content-type"] != "application/json",
	})
}

// writtenAt returns when an event that was first seen at a time can have been written: before
// that, and before any listed append that the log has behind it.
func (r *replay) writtenAt(seen float64, position uint64) float64 {
	at := seen
	for _, c := range r.rec.Calls {
		if success, ok := mapIn(decoded(c.firstAnswer()), "success"); ok && c.Call == "Streams.Append" {
			where, _ := mapIn(success, "position")
			if wireNumber(where["commitPosition"]) > position {
				at = min(at, c.At)
			}
		}
	}
	return at - 0.01
}

func mapIn(v any, key string) (map[string]any, bool) {
	m, _ := v.(map[string]any)
	child, ok := m[key].(map[string]any)
	return child, ok
}

// String tells a call in messages.
func (c *recordedCall) String() string { return fmt.Sprintf("%s %q at %.1f", c.Call, c.Note, c.At) }
