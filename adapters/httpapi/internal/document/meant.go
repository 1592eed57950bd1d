package document

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/domain/accept"
)

// NothingAt says that nothing is at an address, and which one may be meant.
func NothingAt(doc *huma.OpenAPI, path string) string {
	if meant := meant(doc, path); meant != "" {
		return "nothing is at " + path + ": did you mean " + meant + "?"
	}
	return "nothing is at " + path + ": see /openapi.json"
}

// meant returns the address of the document that somebody may have meant who misspelt it, with
// their own words in the place of its parameters; empty if none is near.
func meant(doc *huma.OpenAPI, path string) string {
	words := strings.Split(path, "/")
	var near []string
	for known := range doc.Paths {
		parts := strings.Split(known, "/")
		if len(parts) != len(words) {
			continue
		}
		for i, p := range parts {
			if strings.HasPrefix(p, "{") {
				parts[i] = words[i]
			}
		}
		near = append(near, strings.Join(parts, "/"))
	}
	return accept.Meant(path, near)
}

// MethodsOf lists the methods of a path, as in the header Allow.
func MethodsOf(item *huma.PathItem) string {
	var list []string
	if item.Delete != nil {
		list = append(list, http.MethodDelete)
	}
	if item.Get != nil {
		list = append(list, http.MethodGet, http.MethodHead)
	}
	if item.Post != nil {
		list = append(list, http.MethodPost)
	}
	return strings.Join(list, ", ")
}
