package esdbserver_test

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

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
