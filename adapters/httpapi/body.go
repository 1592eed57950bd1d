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

// strictJSON reads bodies as huma does, but refuses JSON that encoding/json would change silently:
// a member given twice (only the last would count), or bytes that are not UTF-8. A number that no
// float64 holds, such as 1e400, is accepted in a payload, which is kept as text, and refused where
// the body needs a number.
var strictJSON = huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: func(data []byte, v any) error {
	if err := accept.Document(data); err != nil {
		return err
	}
	tree, ok := v.(*any) // huma checks this tree against the schema, and then reads the body again
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

// asFloats turns the numbers in a JSON tree into float64s. It keeps those that no float64 holds.
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

// boundBody limits the time for reading a request's body, whether the handler reads it or, after
// the handler, net/http. Call ended when the handler has returned. Without the limit, a client that
// announces a body and does not send it would keep its connection for ever.
//
// It copies the request, because net/http needs the original body to decide whether the connection
// can be reused.
func (s *Server) boundBody(rc *http.ResponseController, r *http.Request) (bounded *http.Request, ended func()) {
	// Not every writer supports deadlines.
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

// boundedBody lifts the deadline at the end of the body. Otherwise the deadline would pass during a
// long handler, and look like a client that has left.
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

// maxStrangerBody is the largest body of a request without an identity, in bytes. The body of a
// login is a token of about 60 bytes.
const maxStrangerBody = 4 << 10

// smallFromStrangers limits the bodies of requests without an identity to [maxStrangerBody].
func smallFromStrangers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := auth.IdentityOf(r.Context()); !known && r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, maxStrangerBody)
		}
		next.ServeHTTP(w, r)
	})
}
