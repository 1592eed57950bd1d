// Package search reads what people type into the search fields of the page: words, and conditions
// such as saga:order, label:tenant=acme or since:2d. A value with spaces stands in quotes.
//
// It owns the language: which conditions exist, and what is wrong with one that was not understood.
// It knows nothing of requests, pages or the views that answer: it returns their filters.
//
// Files, in reading order:
//
//   - search.go: what each list can be searched for
//   - read.go: words, conditions, quotes and times
package search
