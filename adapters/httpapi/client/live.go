package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// follow yields what read makes of each event of a live stream, over as many connections as it
// takes. It resumes after the last event that arrived whole, so it misses none and yields none
// twice. It ends when the server says that the stream is over. Otherwise the last error is
// ctx.Err(), the server's refusal, or that of an event that can't be read. read returns false for
// an event that it does not know, which a newer server may send.
func follow[T any](ctx context.Context, c *Client, path string, q url.Values, read func(kind string, data []byte, into *T) (known bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := c.connections(ctx, path, q, func(kind string, data []byte) (more bool, err error) {
			var t T
			known, err := read(kind, data, &t)
			if err != nil {
				return false, fmt.Errorf("follow %s: %w: %w", path, errUnreadable, err)
			}
			return !known || yield(t, nil), nil
		})
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// connections reads a live stream connection after connection, with pauses in between, and calls
// take with each event's name and data until it returns false or an error.
func (c *Client) connections(ctx context.Context, path string, q url.Values, take func(kind string, data []byte) (more bool, err error)) error {
	last, pause := "", c.pause()
	for {
		before := last
		over, err := c.connection(ctx, path, q, &last, take)
		switch {
		case over:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !passing(err):
			return err
		}
		if last != before {
			pause.Reset()
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// errSilent means that a connection is open, but nothing comes. It is an error that passes.
var errSilent = errors.New("nothing was heard")

// listen returns a context that ends where the watch is not set anew for so long, and a function
// that ends listening: it returns the error or, where that came of the silence, an [errSilent].
func listen(ctx context.Context, silence time.Duration) (within context.Context, watch *time.Timer, end func(error) error) {
	within, stop := context.WithCancelCause(ctx)
	watch = time.AfterFunc(silence, func() { stop(errSilent) })
	return within, watch, func(err error) error {
		watch.Stop()
		if err != nil && errors.Is(context.Cause(within), errSilent) {
			err = fmt.Errorf("%w for %v", errSilent, silence)
		}
		stop(nil)
		return err
	}
}

// connection reads the events of one connection. last is the id of the last event that was taken.
// over means that there is nothing more to read: take returned false, or the stream has ended.
func (c *Client) connection(ctx context.Context, path string, q url.Values, last *string, take func(kind string, data []byte) (more bool, err error)) (over bool, err error) {
	ctx, watch, end := listen(ctx, c.cfg.Silence)
	defer func() {
		if err = end(err); errors.Is(err, errSilent) {
			c.answers(err)
		}
	}()
	r := request{method: http.MethodGet, path: path, query: q, header: http.Header{"Accept": {"text/event-stream"}}}
	if *last != "" {
		r.header.Set("Last-Event-ID", *last)
	}
	res, err := c.send(ctx, &r, nil)
	if err == nil {
		defer res.Body.Close() //nolint:errcheck // the body was only read
		err = c.failure(&r, res)
	}
	if err == nil || ctx.Err() == nil && passing(err) {
		c.answers(err)
	}
	if err != nil {
		return false, err
	}
	if res.StatusCode == http.StatusNoContent {
		return true, nil
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 64<<10), 16<<20)
	var id, kind string
	var data []byte
	for watch.Reset(c.cfg.Silence); lines.Scan(); watch.Reset(c.cfg.Silence) {
		watch.Stop()                 // who takes an event may take long
		if len(lines.Bytes()) == 0 { // the end of an event; one that is cut off has none
			if len(data) > 0 {
				if more, err := take(kind, data); !more || err != nil {
					return err == nil, err
				}
				*last = id
			}
			kind, data = "", data[:0]
			continue
		}
		switch name, value, _ := bytes.Cut(lines.Bytes(), []byte(": ")); string(name) {
		case "id":
			id = string(value)
		case "event":
			kind = string(value)
		case "data":
			data = append(data[:0], value...)
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return false, fmt.Errorf("follow %s: %w: a line is too long", path, errUnreadable)
	}
	return false, lines.Err()
}
