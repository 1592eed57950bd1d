package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/domain"
)

// Follow yields a run's events from a revision on, those there are and then each new one, until the
// run has ended, ctx ends (the last error is then ctx.Err()) or the server refuses. Where the
// connection breaks it comes back after the last event seen: none is missed and none comes twice.
func (c *Client) Follow(ctx context.Context, id domain.RunID, from uint64) iter.Seq2[wire.Event, error] {
	return func(yield func(wire.Event, error) bool) {
		next := from
		pause := c.pause()
		for {
			before := next
			over, stopped, err := c.stream(ctx, id, &next, yield)
			if over || stopped {
				return
			}
			if ctx.Err() != nil {
				yield(wire.Event{}, ctx.Err())
				return
			}
			if err != nil && !passing(err) && !errors.Is(err, errUnreadable) {
				yield(wire.Event{}, err)
				return
			}
			if next != before {
				pause.Reset()
			}
			select {
			case <-time.After(pause.NextBackOff()):
			case <-ctx.Done():
			}
		}
	}
}

// stream reads one connection's events. over means that the run has ended.
func (c *Client) stream(ctx context.Context, id domain.RunID, next *uint64, yield func(wire.Event, error) bool) (over, stopped bool, err error) {
	r := request{method: http.MethodGet, path: "/runs/" + id.String() + "/events", query: url.Values{"from": {strconv.FormatUint(*next, 10)}},
		header: http.Header{"Accept": {"text/event-stream"}}}
	res, err := c.send(ctx, &r, nil)
	if err != nil {
		return false, false, err
	}
	defer res.Body.Close() //nolint:errcheck // it was read
	if err := c.failure(&r, res); err != nil {
		return false, false, err
	}
	if res.StatusCode == http.StatusNoContent {
		return true, false, nil
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 64<<10), 8<<20)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		var e wire.Event
		if err := json.Unmarshal(data, &e); err != nil {
			return false, false, fmt.Errorf("follow run %s: %w: %w", id, errUnreadable, err)
		}
		*next = e.Revision + 1
		if !yield(e, nil) {
			return false, true, nil
		}
	}
	return false, false, lines.Err()
}
