package document

import (
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/atonehq/atone/domain/accept"
)

// Meant returns the address of the document that somebody may have meant who misspelt it, with
// their own words in the place of its parameters; empty if none is near.
func Meant(doc *huma.OpenAPI, path string) string {
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
