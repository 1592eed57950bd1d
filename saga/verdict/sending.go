package verdict

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// sending is what a base reports of how it sent one request.
type sending struct {
	asked   atomic.Bool  // it reports connections
	conns   atomic.Int32 // connections that it had for the request
	written atomic.Bool  // it has written, for a base that reports no connection
}

func (s *sending) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { s.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { s.conns.Add(1) },
		WroteHeaders: func() { s.written.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { s.written.Store(true) },
	}
}

// reached reports whether anything can have been written.
func (s *sending) reached() bool { return s.conns.Load() > 0 || s.written.Load() }

// copies is how often a request may have reached the server before it was answered.
type copies int

// The copies of a request.
const (
	unknown copies = iota
	one
	several
)

// copiesKey is the key of a request's copies in its context.
type copiesKey struct{}

// note keeps with an answer how often its request was sent, for [Response].
func (s *sending) note(req *http.Request, res *http.Response) {
	n := copies(min(s.conns.Load(), int32(several)))
	if n == unknown {
		return
	}
	if res.Request != nil { // else it is the base's to know
		req = res.Request
	}
	res.Request = req.WithContext(context.WithValue(req.Context(), copiesKey{}, n))
}

// Copied says why an answer that is no success may not speak for the whole request: an earlier copy
// of the request may have had its effect. It is empty where that can't be. [Response] heeds it;
// whoever gives a status a meaning of their own should, too.
func Copied(res *http.Response) string { return doubt(res) }

// doubt says why an answer's request may have had an effect although the server refused or put off
// what it answered; it is empty if the answer is the only one.
//
// net/http sends a request again, unasked, when a kept-alive connection breaks under it and the
// method is safe or the request has an Idempotency-Key; over HTTP/2 also any request that the
// server gave back. An earlier copy may have done its work, and the answer is to the last.
func doubt(res *http.Response) string {
	req := res.Request
	if req == nil {
		return ""
	}
	for before := req; before.Response != nil && before.Response.Request != nil; {
		before = before.Response.Request
		if !safe(before.Method) {
			return "the server that redirected the request may have acted"
		}
	}
	if safe(req.Method) {
		return ""
	}
	switch n, _ := req.Context().Value(copiesKey{}).(copies); {
	case n == several:
		return "net/http sent the request again, and this is the answer to the last copy"
	case n == unknown && keyed(req):
		return "net/http may have sent the request again; verdict.Client would know"
	}
	return ""
}

// safe reports whether requests with the method have no effect (RFC 9110, 9.2.1).
func safe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// keyed reports whether net/http takes the request for one that may be repeated.
func keyed(req *http.Request) bool {
	return len(req.Header["Idempotency-Key"]) > 0 || len(req.Header["X-Idempotency-Key"]) > 0
}
