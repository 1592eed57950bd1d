package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/domain/accept"
)

// strictJSON reads bodies as huma does, but refuses what encoding/json would read otherwise than it was
// written: a member twice, of which the last would count, or bytes that are no UTF-8.
var strictJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, v any) error {
	if err := accept.Document(data); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}}

// boundBody bounds the time that the body of a request may take, whether it is read by a handler or, by net/http after
// a handler that did not want it, only to be thrown away. The function that it returns is called at the handler's end.
// Without the bound a client that announces a body and does not send it would keep its connection for ever.
//
// The request is copied, because net/http finds out by the body of its own whether a connection can be used again.
func (s *Server) boundBody(rc *http.ResponseController, r *http.Request) (bounded *http.Request, ended func()) {
	bound := func() { _ = rc.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout)) } // not every writer can
	bound()
	body := &boundedBody{ReadCloser: r.Body, free: func() { _ = rc.SetReadDeadline(time.Time{}) }}
	r = r.WithContext(r.Context())
	r.Body = body
	return r, func() {
		if !body.ended {
			bound()
		}
	}
}

// boundedBody lifts the bound when the body is at its end: what a handler does then may take longer, and the deadline would
// look like a client that has left.
type boundedBody struct {
	io.ReadCloser
	free  func()
	ended bool
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended {
		b.ended = true
		b.free()
	}
	return n, err
}
