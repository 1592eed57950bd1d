package httpapi_test

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// contract holds answers to the API's own document, and remembers which it has seen.
type contract struct {
	doc *huma.OpenAPI
	mu  sync.Mutex
	// seen has "operation status" for each answer.
	seen map[string]bool
}

func newContract(doc *huma.OpenAPI) *contract { return &contract{doc: doc, seen: map[string]bool{}} }

// operation finds what a request is for.
func (c *contract) operation(method, path string) (*huma.Operation, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for template, item := range c.doc.Paths {
		want := strings.Split(strings.Trim(template, "/"), "/")
		if len(want) != len(parts) {
			continue
		}
		fits := true
		for i, w := range want {
			fits = fits && (strings.HasPrefix(w, "{") || w == parts[i])
		}
		if !fits {
			continue
		}
		if op := operations(item)[method]; op != nil {
			return op, true
		}
	}
	return nil, false
}

func operations(item *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "DELETE": item.Delete, "PUT": item.Put, "PATCH": item.Patch}
	for m, op := range all {
		if op == nil {
			delete(all, m)
		}
	}
	return all
}

// check says in what an answer differs from the document.
func (c *contract) check(method, path string, status int, header http.Header, body []byte) error {
	op, ok := c.operation(method, path)
	if !ok {
		return fmt.Errorf("%s %s is not documented", method, path)
	}
	if status == 500 {
		return fmt.Errorf("%s answered 500: %s", op.OperationID, body)
	}
	res := op.Responses[fmt.Sprint(status)]
	if res == nil {
		return fmt.Errorf("%s: status %d is not documented: %s", op.OperationID, status, body)
	}
	c.mu.Lock()
	c.seen[fmt.Sprintf("%s %d", op.OperationID, status)] = true
	c.mu.Unlock()
	if len(res.Content) == 0 {
		if len(body) > 0 {
			return fmt.Errorf("%s %d: a body that is not documented: %s", op.OperationID, status, body)
		}
		return nil
	}
	ct, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("%s %d: content type %q: %w", op.OperationID, status, header.Get("Content-Type"), err)
	}
	media := res.Content[ct]
	if media == nil {
		return fmt.Errorf("%s %d: content type %s is not documented", op.OperationID, status, ct)
	}
	if !strings.HasSuffix(ct, "json") || strings.HasSuffix(ct, "ndjson") {
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return fmt.Errorf("%s %d: %w: %s", op.OperationID, status, err, body)
	}
	result := &huma.ValidateResult{}
	huma.Validate(c.doc.Components.Schemas, media.Schema, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, result)
	if len(result.Errors) > 0 {
		return fmt.Errorf("%s %d: the body does not fit its schema: %v: %s", op.OperationID, status, result.Errors, body)
	}
	return nil
}

// missing lists the documented answers that were not seen.
func (c *contract) missing() []string {
	var out []string
	for _, item := range c.doc.Paths {
		for _, op := range operations(item) {
			for status := range op.Responses {
				if key := op.OperationID + " " + status; !c.seen[key] {
					out = append(out, key)
				}
			}
		}
	}
	sort.Strings(out)
	return out
}

// call makes a request and holds its answer to the contract.
func (c *contract) call(w *world, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	a := w.do(method, path, body, headers...)
	bare, _, _ := strings.Cut(path, "?")
	require.NoError(w.t, c.check(method, bare, a.status, a.header, a.body))
	return a
}

func TestTheDocumentIsOpenAPI31(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{})
	var doc struct {
		OpenAPI string                    `json:"openapi"`
		Paths   map[string]map[string]any `json:"paths"`
	}
	w.do("GET", "/openapi.json", nil).is(200).into(&doc)
	require.Equal(t, "3.1.0", doc.OpenAPI)
	for _, path := range []string{"/sagas/{name}/runs", "/actions/{name}/invoke", "/runs", "/runs/{id}", "/runs/{id}/events", "/runs/{id}/audit", "/runs/{id}/why",
		"/runs/{id}/undo-preview", "/runs/{id}/outlook", "/runs/{id}/state", "/runs/{id}/cancel", "/runs/{id}/pause", "/runs/{id}/resume", "/runs/{id}/retry", "/runs/{id}/resolve",
		"/runs/{id}/abandon", "/runs/{id}/signal", "/bulk", "/events", "/incidents", "/stats", "/sagas", "/actions", "/projections", "/health/live", "/health/ready"} {
		require.Contains(t, doc.Paths, path)
	}
}

// TestTheDocumentTellsWhatSagasTake holds the document to saying what a start takes and a run
// returns, to those alone who may use the saga.
func TestTheDocumentTellsWhatSagasTake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldConfig{secured: true})
	type schema struct {
		AnyOf []struct {
			Ref string `json:"$ref"`
		}
	}
	read := func() string {
		a := w.do("GET", "/openapi.json", nil).is(200)
		var doc struct {
			Paths map[string]struct {
				Post struct {
					RequestBody struct {
						Content map[string]struct{ Schema schema }
					}
				}
			}
			Components struct{ Schemas map[string]any }
		}
		a.into(&doc)
		for _, path := range []string{"/sagas/{name}/runs", "/actions/{name}/invoke"} {
			for _, choice := range doc.Paths[path].Post.RequestBody.Content["application/json"].Schema.AnyOf {
				require.Contains(t, doc.Components.Schemas, strings.TrimPrefix(choice.Ref, "#/components/schemas/"))
			}
		}
		return string(a.body)
	}
	body := read()
	for _, part := range []string{`"$ref":"#/components/schemas/saga.signup.v1.input"`, `"saga.signup.v1.input":{"title":"form","type":"object"`, `"x-secret":true`, `"action.charge.output"`, `"saga.approval.v1.signal.approve":{"type":"string"}`} {
		require.Contains(t, body, part)
	}
	w.bearer = w.token("one", []auth.Scope{auth.Read}, "approval")
	body = read()
	require.Contains(t, body, "saga.approval.v1.input")
	require.NotContains(t, body, "saga.signup.v1.input", "a token is told of its sagas")
	w.bearer = ""
	body = read()
	require.NotContains(t, body, "saga.approval", "strangers are told of none")
}
