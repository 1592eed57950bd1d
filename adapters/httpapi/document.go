package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/internal/live"
	"github.com/atonehq/atone/adapters/httpapi/internal/typed"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga"
)

// documentPath is where the document is served.
const documentPath = "/openapi.json"

// withDocument serves the document with the schemas of the sagas and actions that the caller's
// token covers.
func (s *Server) withDocument(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != documentPath || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		doc, err := s.documentFor(r.Context())
		if err != nil {
			s.cfg.Logger.Error("the OpenAPI document could not be made", "error", err)
			writeProblem(w, problem(http.StatusInternalServerError, wire.ProblemInternal, "something went wrong: the server's log says what"))
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		_, _ = w.Write(doc) // the client may be gone
	})
}

// documentFor returns the document for a caller. Without an identity it names no saga.
func (s *Server) documentFor(ctx context.Context) ([]byte, error) {
	doc, err := json.Marshal(s.api.OpenAPI())
	if err != nil {
		return nil, err
	}
	id, known := auth.IdentityOf(ctx)
	hidden := func(name string) bool { return !known || !id.Covers(name) }
	sagas := slices.DeleteFunc(s.cfg.Coordinator.Sagas(), func(i saga.SagaInfo) bool { return hidden(i.Name) })
	actions := slices.DeleteFunc(s.cfg.Coordinator.Actions(), func(i saga.ActionInfo) bool { return hidden(i.Name) })
	return typed.Document(doc, sagas, actions)
}

// alsoOK documents that an operation that answers 202 may also answer 200 with a result.
func alsoOK(string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		if op.Responses == nil {
			op.Responses = map[string]*huma.Response{}
		}
		op.Responses["200"] = &huma.Response{
			Description: "The run has ended or is stuck.",
			Content:     map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Result"}}},
		}
		op.Responses["202"] = &huma.Response{Description: "The run is under way."}
	}
}

// answers documents the content types of an operation that writes its body itself.
func answers(s *Server, types map[string]reflect.Type) func(*huma.Operation) {
	return func(op *huma.Operation) {
		content := map[string]*huma.MediaType{}
		for ct, t := range types {
			schema := &huma.Schema{Type: huma.TypeString}
			if t != nil {
				schema = s.api.OpenAPI().Components.Schemas.Schema(t, true, op.OperationID)
			}
			content[ct] = &huma.MediaType{Schema: schema}
		}
		op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: content}}
	}
}

// followed documents that an operation answers a list of Ts as a page or as a live stream.
func followed[T any](s *Server) func(*huma.Operation) {
	return answers(s, map[string]typeOf{"application/json": reflect.TypeFor[wire.Page[T]](), live.ContentType: nil})
}

// typeOfEvents is the type of a page of events.
var typeOfEvents = reflect.TypeFor[wire.Page[wire.Event]]()

// typeOf is a Go type that a schema is made from; nil means text.
type typeOf = reflect.Type

var typeOfStory = reflect.TypeFor[story.Story]()

var typeOfMe = reflect.TypeFor[wire.Me]()

// notReady documents that readiness answers 503 with the reasons.
func notReady(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"503": {Description: "The server can't serve; the body says why.",
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Health"}}}}}
}

// jsonBody writes a value as JSON, for operations that also write headers of their own.
func jsonBody(v any) func(huma.Context) {
	return func(hc huma.Context) {
		hc.SetHeader("Content-Type", "application/json")
		hc.SetStatus(http.StatusOK)
		enc := json.NewEncoder(hc.BodyWriter())
		enc.SetEscapeHTML(false)
		_ = enc.Encode(v) // the client may be gone
	}
}
