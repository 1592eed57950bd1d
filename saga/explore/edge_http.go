package explore

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
)

// The further answers of an HTTP server.
const (
	answers422      Answer = "answers-422"       // a refusal, without effect
	answers503      Answer = "answers-503"       // not now, without effect
	answers500After Answer = "answers-500-after" // an error after the effect
)

// HTTP returns a transport whose requests are served by h, without sockets. A request may never
// leave, its answer may be lost, and the server may answer 422, 503, or 500 after the effect.
func (e *Edges) HTTP(h http.Handler) http.RoundTripper { return transport{e, h} }

// Client returns a client over [Edges.HTTP]; any host will do.
func (e *Edges) Client(h http.Handler) *http.Client { return &http.Client{Transport: e.HTTP(h)} }

type transport struct {
	e *Edges
	h http.Handler
}

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	var res *http.Response
	far := func() error {
		wrote(req)
		res, err = serve(t.h, req, body) //nolint:bodyclose // the caller of RoundTrip closes it
		return err
	}
	says := func(status int) {
		wrote(req)
		var a answer
		http.Error(&a, http.StatusText(status), status)
		res = a.response(req) //nolint:bodyclose // as above
	}
	further := []Answer{answers503}
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		further = []Answer{answers422, answers503, answers500After}
	}
	err = t.e.cross(req.Method+" "+req.URL.Path, far, func(a Answer) error {
		switch a {
		case answers422:
			says(http.StatusUnprocessableEntity)
		case answers503:
			says(http.StatusServiceUnavailable)
		case answers500After:
			if err := far(); err != nil {
				return err
			}
			says(http.StatusInternalServerError)
		}
		return nil
	}, further...)
	if err != nil {
		return nil, err
	}
	return res, nil
}

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
}

// wrote tells the request's trace that a connection took it, as a true transport does.
func wrote(req *http.Request) {
	trace := httptrace.ContextClientTrace(req.Context())
	if trace == nil {
		return
	}
	if trace.GotConn != nil {
		near, far := net.Pipe()
		_ = far.Close()
		trace.GotConn(httptrace.GotConnInfo{Conn: near})
		_ = near.Close()
	}
	if trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	if trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// serve has a handler answer a request. One that panics breaks the connection, as with a true
// server.
func serve(h http.Handler, req *http.Request, body []byte) (res *http.Response, err error) {
	in := req.Clone(req.Context())
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "192.0.2.1:1234"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	var a answer
	defer func() {
		if p := recover(); p != nil {
			res, err = nil, fmt.Errorf("%w: the server panicked: %s", io.ErrUnexpectedEOF, strings.TrimSpace(fmt.Sprint(p)))
		}
	}()
	h.ServeHTTP(&a, in)
	return a.response(req), nil
}

// answer is what a handler answers. Package httptest has the like, and would bring its flag into
// programs that offer explorations.
type answer struct {
	status int
	header http.Header // as the handler sees it
	sent   http.Header // as it was when the status was written
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter. As a server does, it leaves informational answers
// out, and takes the first status.
func (a *answer) WriteHeader(status int) {
	if a.sent == nil && status >= http.StatusOK {
		a.status, a.sent = status, a.Header().Clone()
	}
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.sent == nil && len(a.Header()["Content-Type"]) == 0 {
		a.header.Set("Content-Type", http.DetectContentType(b))
	}
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }

func (a *answer) response(req *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	return &http.Response{Status: fmt.Sprintf("%03d %s", a.status, http.StatusText(a.status)), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.sent, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: req}
}
