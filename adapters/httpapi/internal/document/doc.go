// Package document completes the OpenAPI document: servers, tags, descriptions and examples.
//
// It owns the descriptions of types from other packages, whose fields have no tag doc, and the
// examples. It knows nothing of how operations work.
//
// Files, in reading order:
//
//   - complete.go: what is added to the document
//   - words.go: descriptions of properties
//   - examples.go: examples of bodies
//   - meant.go: what to say of an address: which one may be meant, and its methods
package document
