package document

import (
	"github.com/danielgtaylor/huma/v2"
)

// tags are the groups of operations, in the order in which they are shown.
var tags = []*huma.Tag{
	{Name: "runs", Description: "Start runs, wait for them, and read them."},
	{Name: "control", Description: "Steer runs: the levers, for one run and for many."},
	{Name: "events", Description: "Domain events: emit them, list them."},
	{Name: "audit", Description: "Acts and outcomes across runs."},
	{Name: "incidents", Description: "What needs a person, or needed one."},
	{Name: "stats", Description: "Counts, rates and latencies."},
	{Name: "definitions", Description: "The sagas and actions that can be run."},
	{Name: "projections", Description: "The views that lists are made from."},
	{Name: "tokens", Description: "Tokens of the API."},
	{Name: "session", Description: "Logins of the web page."},
	{Name: "health", Description: "Whether the server can serve."},
}

// Start sets the general parts of a document, before operations are added.
func Start(api *huma.OpenAPI) {
	api.Info.Description = "Event-sourced sagas: start runs, wait for them, read them, steer them."
	api.Info.Contact = &huma.Contact{Name: "atone", URL: "https://github.com/atonehq/atone"}
	api.Info.License = &huma.License{Name: "Apache 2.0", URL: "https://www.apache.org/licenses/LICENSE-2.0"}
	api.Servers = []*huma.Server{{URL: "/", Description: "The server that has this document."}}
}

// Complete adds the missing parts to a document that has all of its operations: tags, a description
// of every property, and examples.
func Complete(api *huma.OpenAPI) {
	used := map[string]bool{}
	for _, item := range api.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			for _, t := range op.Tags {
				used[t] = true
			}
			if op.Security == nil {
				op.Security = []map[string][]string{{}} // nobody needs a token
			}
			if op.Description == "" {
				op.Description = op.Summary + "."
			}
			illustrate(op)
		}
	}
	for _, t := range tags {
		if used[t.Name] {
			api.Tags = append(api.Tags, t)
		}
	}
	for name, schema := range api.Components.Schemas.Map() {
		describe(name, schema)
	}
}

// describe adds descriptions to the properties of a schema that have none.
func describe(name string, s *huma.Schema) {
	for property, p := range s.Properties {
		if p.Description == "" {
			if p.Description = words[name+"."+property]; p.Description == "" {
				p.Description = words[property]
			}
		}
		describe(name+"."+property, p)
		if p.Items != nil {
			describe(name+"."+property, p.Items)
		}
	}
}
