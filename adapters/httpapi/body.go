package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/domain/accept"
)

// strictJSON reads bodies as huma does, but refuses what encoding/json would read otherwise than it
// was written: a member twice, of which the last would count, or bytes that are not UTF-8. A number
// that no float64 holds, such as 1e400, is taken where the body keeps the text of a payload, as at
// every other door; where the body is to be a number it is refused.
var strictJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, v any) error {
	if err := accept.Document(data); err != nil {
		return err
	}
	tree, ok := v.(*any) // huma checks it against the schema, and reads the body itself afterwards
	if !ok {
		return json.Unmarshal(data, v)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(tree); err != nil {
		return err
	}
	*tree = asFloats(*tree)
	return nil
}}

// asFloats replaces the numbers in a tree of JSON by float64s, except those that no float64 holds.
func asFloats(v any) any {
	switch v := v.(type) {
	case json.Number:
		if f, err := v.Float64(); err == nil {
			return f
		}
	case []any:
		for i := range v {
			v[i] = asFloats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = asFloats(v[name])
		}
	}
	return v
}

// boundBody bounds the time that the body of a request may take, whether it is read by a handler
// or, by net/http after a handler that did not want it, only to be thrown away. The function that
// it returns is called at the handler's end. Without the bound a client that announces a body and
// does not send it would keep its connection for ever.
//
// The request is copied: net/http needs its own body to tell whether the connection can be used
// again.
func (s *Server) boundBody(rc *http.ResponseController, r *http.Request) (bounded *http.Request, ended func()) {
	// Not every writer can.
	bound := func() { _ = rc.SetReadDeadline(time.Now().Add(s.cfg.BodyTimeout)) }
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

// boundedBody lifts the bound at the end of the body. A handler may then take longer, and the
// deadline would look like a client that has left.
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

// maxStrangerBody bounds the body of a request whose sender is not known yet, in bytes. A login is
// a token of some 60 bytes.
const maxStrangerBody = 4 << 10

// smallFromStrangers bounds the bodies of requests without an identity.
func smallFromStrangers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := auth.IdentityOf(r.Context()); !known && r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, maxStrangerBody)
		}
		next.ServeHTTP(w, r)
	})
}
