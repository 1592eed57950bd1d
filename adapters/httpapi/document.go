package httpapi

import (
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/projections/story"
)

// alsoOK documents that an operation answers 200 with a result as well as 202.
func alsoOK(string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		if op.Responses == nil {
			op.Responses = map[string]*huma.Response{}
		}
		op.Responses["200"] = &huma.Response{
			Description: "The run has ended, or needs a person.",
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

// typeOfEvents is the type of a page of events.
var typeOfEvents = reflect.TypeFor[wire.Page[wire.Event]]()

// typeOf is a Go type that a schema is made from; nil means text.
type typeOf = reflect.Type

var typeOfStory = reflect.TypeFor[story.Story]()

var typeOfMe = reflect.TypeFor[wire.Me]()

// notReady documents that readiness answers 503 with the reasons.
func notReady(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"503": {Description: "It can't serve, and why.",
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
