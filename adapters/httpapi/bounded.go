package httpapi

import (
	"fmt"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// What an answer repeats of a request is bounded: a client must not be able to make an answer
// that is many times as large as what it sent.
const (
	maxErrors = 10    // errors that one problem lists
	maxEcho   = 200   // bytes of a value that an error repeats
	maxDetail = 2_000 // bytes of a problem's detail
)

// maxStrangerBody bounds the body of a request whose sender is not known yet, in bytes. A login is
// a token of some 60 bytes.
const maxStrangerBody = 4 << 10

// smallFromStrangers bounds the bodies of requests that carry no identity, whatever serves them.
func smallFromStrangers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := auth.IdentityOf(r.Context()); !known && r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, maxStrangerBody)
		}
		next.ServeHTTP(w, r)
	})
}

// bounded returns the problem with its texts cut and only the first of its errors.
func bounded(p *huma.ErrorModel) *huma.ErrorModel {
	out := *p
	out.Detail = cut(p.Detail, maxDetail)
	if len(p.Errors) == 0 {
		return &out
	}
	out.Errors = make([]*huma.ErrorDetail, 0, maxErrors+1)
	for _, e := range p.Errors[:min(len(p.Errors), maxErrors)] {
		out.Errors = append(out.Errors, &huma.ErrorDetail{Message: cut(e.Message, 2*maxEcho), Location: cut(e.Location, maxEcho), Value: echo(e.Value)})
	}
	if more := len(p.Errors) - maxErrors; more > 0 {
		out.Errors = append(out.Errors, &huma.ErrorDetail{Message: fmt.Sprintf("and %d more errors: mend these first", more)})
	}
	return &out
}

// echo is what an error repeats of a value: a scalar, cut; of lists and objects only their size.
func echo(v any) any {
	switch v := v.(type) {
	case nil, bool, float64:
		return v
	case string:
		return cut(v, maxEcho)
	case []byte:
		return cut(string(v[:min(len(v), maxEcho+utf8.UTFMax)]), maxEcho)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Map:
		return fmt.Sprintf("an object of %d members", r.Len())
	case reflect.Slice, reflect.Array:
		return fmt.Sprintf("a list of %d values", r.Len())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32:
		return v
	case reflect.String:
		return cut(r.String(), maxEcho)
	}
	return nil
}

// cut shortens a text to at most n bytes and a mark, without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
