package data

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data/internal/expr"
	"github.com/atonehq/atone/saga/data/internal/source"
)

// methods are those that a call may have; the first two have no effect and no body.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// safe reports whether the call has no effect.
func (r *request) safe() bool { return slices.Index(methods, r.method) < 2 }

// request is a call as the file has it.
type request struct {
	caller      Caller
	method      string
	address     *expr.Value
	origin      string      // scheme://host
	query, form *expr.Value // maps; nil for none
	header      map[string]string
	body        *expr.Value // nil for none
	sign        string
	answer      answer
}

// request reads a call. what names it: call, undo or probe; back is the type that it must return.
func (c *compiler) request(what string, n *source.Node, sc *expr.Scope, caller Caller, back *expr.Type) *request {
	if n.Kind != source.Map {
		c.book.Add(n.Pos, "%s must be a map with method and url", what)
		return nil
	}
	m := &members{book: c.book, node: n, says: what}
	r := &request{caller: caller, method: strings.ToUpper(m.text("method")), sign: m.text("sign")}
	if !slices.Contains(methods, r.method) {
		m.add(n.Pos, "method is missing or unknown: use one of %s", strings.Join(methods, ", "))
	}
	if r.sign != "" && !secretOnly.MatchString(r.sign) {
		m.add(n.Get("sign").Pos, "sign must be a secret:// with a name of capital letters, digits and _")
	}
	c.address(m, sc, r)
	r.query, r.form = c.pairs(m, "query", sc), c.pairs(m, "form", sc)
	r.header = headerOf(m)
	if body := m.get("body"); body != nil {
		r.body = sc.Compile(c.book, what+": body", body, expr.Open)
	}
	switch {
	case (r.body != nil || r.form != nil) && r.safe():
		m.add(n.Pos, "a %s has no body", r.method)
	case r.body != nil && r.form != nil:
		m.add(n.Pos, "it has a body and a form: drop one of them")
	}
	c.meanings(m, what, r)
	if n := m.get("return"); n != nil {
		if what == "undo" {
			m.add(n.Pos, "an undo returns nothing")
		}
		r.answer.value = sc.WithVar("answer", answerType).Compile(c.book, what+": return", n, back)
	}
	m.done()
	if c.book.Empty() {
		if err := caller.Check(Call{Method: r.method, URL: mustParse(r.origin), Header: r.header, Sign: r.sign}); err != nil {
			m.add(n.Pos, "%v", err)
		}
	}
	return r
}

// mustParse reads an address that was read before.
func mustParse(origin string) *url.URL {
	u, err := url.Parse(origin)
	if err != nil {
		panic(err)
	}
	return u
}

// address reads the URL: its scheme and host stand there as they are, its path may have
// expressions.
func (c *compiler) address(m *members, sc *expr.Scope, r *request) {
	n := m.get("url")
	if n == nil || n.Kind != source.Text {
		m.add(m.node.Pos, "url is missing: https://host/path")
		return
	}
	scheme, rest, _ := strings.Cut(n.Text, "://")
	host, path, _ := strings.Cut(rest, "/")
	r.origin = scheme + "://" + host
	u, err := url.Parse(r.origin)
	switch {
	case err != nil || scheme != "https" && scheme != "http" || strings.ContainsAny(host, "${}") || u.Hostname() == "":
		m.add(n.Pos, "url must begin with https:// or http:// and a host, which stand there as they are: values may fill the path")
		return
	case u.User != nil:
		m.add(n.Pos, "url: a password does not belong in an address: use a header with secret://NAME")
		return
	case strings.ContainsAny(outside(path), "?#"):
		m.add(n.Pos, "url: what comes after ? stands in query, and there is no #")
		return
	}
	if r.address = sc.Compile(c.book, m.says+": url", n, &expr.Type{Kind: expr.Text}); r.address == nil {
		return
	}
	if r.address.Constant() {
		if _, err := url.Parse(n.Text); err != nil {
			m.add(n.Pos, "url: %v", err)
		}
	}
}

// expressions finds the expressions of a text, as far as is needed to look at what is outside.
var expressions = regexp.MustCompile(`\$\{[^}]*\}`)

func outside(text string) string { return expressions.ReplaceAllString(text, "") }

// pairs reads a map from names to texts.
func (c *compiler) pairs(m *members, name string, sc *expr.Scope) *expr.Value {
	n := m.get(name)
	if n == nil {
		return nil
	}
	if n.Kind != source.Map {
		m.add(n.Pos, "%s must be a map from names to values", name)
		return nil
	}
	return sc.Compile(c.book, m.says+": "+name, n, expr.Open)
}

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")
	secretName = regexp.MustCompile(`secret://([A-Za-z0-9_./-]*)`)
	secretOnly = regexp.MustCompile(`^secret://[A-Z][A-Z0-9_]{0,63}$`)
)

// ownHeaders are those that a file can't set.
var ownHeaders = []string{"host", "content-length", "transfer-encoding", "connection", "trailer", "upgrade", "te", "expect", "idempotency-key", "traceparent",
	"webhook-id", "webhook-timestamp", "webhook-signature"}

// headerOf reads headers, which have no values of a run.
func headerOf(m *members) map[string]string {
	n := m.get("headers")
	if n == nil {
		return nil
	}
	if n.Kind != source.Map {
		m.add(n.Pos, "headers must be a map from names to texts")
		return nil
	}
	header := map[string]string{}
	for i, key := range n.Keys {
		value := n.Items[i]
		switch {
		case !headerName.MatchString(key.Text):
			m.add(key.Pos, "headers: %q can't be the name of a header", key.Text)
		case slices.Contains(ownHeaders, strings.ToLower(key.Text)):
			m.add(key.Pos, "headers: %s is set by the call itself", key.Text)
		case value.Kind != source.Text && value.Kind != source.Int:
			m.add(value.Pos, "headers: %s must be a text", key.Text)
		case strings.ContainsAny(value.Text, "\r\n\x00"):
			m.add(value.Pos, "headers: %s has a line break", key.Text)
		case strings.Contains(value.Text, "${"):
			m.add(value.Pos, "headers: %s can't have values of a run: they fill path, query and body", key.Text)
		}
		for _, found := range secretName.FindAllString(value.Text, -1) {
			if !secretOnly.MatchString(found) {
				m.add(value.Pos, "headers: %s: %s has no name of capital letters, digits and _", key.Text, found)
			}
		}
		header[key.Text] = value.Text
	}
	return header
}

// call makes the call with the values of an attempt.
func (r *request) call(ctx context.Context, values *expr.Values, key string) (Reply, error) {
	c, err := r.fill(values)
	if err != nil {
		return Reply{}, saga.Permanent(err)
	}
	if !r.safe() {
		c.Key = key
	}
	c.Trace = saga.AttemptOf(ctx).Trace
	return r.caller.Call(ctx, c)
}

// fill puts values where the file has expressions.
func (r *request) fill(values *expr.Values) (Call, error) {
	c := Call{Method: r.method, Header: r.header, Sign: r.sign}
	address, err := r.address.Escaped(values, segment)
	if err != nil {
		return c, err
	}
	if c.URL, err = url.Parse(address); err != nil {
		return c, err
	}
	if c.URL.Scheme+"://"+c.URL.Host != r.origin {
		return c, fmt.Errorf("the address is no longer one of %s", r.origin)
	}
	query, err := encode(r.query, values)
	if err != nil {
		return c, err
	}
	c.URL.RawQuery = query
	switch {
	case r.body != nil:
		c.ContentType = "application/json"
		c.Body, err = r.body.JSON(values)
	case r.form != nil:
		var form string
		c.ContentType = "application/x-www-form-urlencoded"
		form, err = encode(r.form, values)
		c.Body = []byte(form)
	}
	return c, err
}

// segment escapes a part of a path.
func segment(text string) (string, error) {
	if text == "" || text == "." || text == ".." {
		return "", fmt.Errorf("%q can't be a part of an address", text)
	}
	return url.PathEscape(text), nil
}

// encode writes a map as queries and forms have it: a list is its items under one name, and what is
// null is left out.
func encode(v *expr.Value, values *expr.Values) (string, error) {
	if v == nil {
		return "", nil
	}
	raw, err := v.JSON(values)
	if err != nil {
		return "", err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", err
	}
	all := url.Values{}
	for name, value := range members {
		items := []json.RawMessage{value}
		if value[0] == '[' {
			if err := json.Unmarshal(value, &items); err != nil {
				return "", err
			}
		}
		for _, item := range items {
			var text string
			switch {
			case string(item) == "null":
				continue
			case item[0] == '{' || item[0] == '[':
				return "", v.Failed(values, fmt.Errorf("%s is no text", name))
			case json.Unmarshal(item, &text) != nil:
				text = string(item)
			}
			all.Add(name, text)
		}
	}
	return all.Encode(), nil
}
