// Package search is the language in which people and programs search runs, the audit and incidents,
// in the page, on the command line and in the API: words, and conditions such as saga:order,
// label:tenant=acme or age:>2h, which must all hold.
//
// It owns the language: which conditions exist, what is wrong with a text that is not understood,
// and what can be typed next. It is strict: an unknown condition or value is an error that says
// what may have been meant. It is pure: names that exist are asked from a function. It knows
// nothing of requests, pages and commands, and of the views that answer: it returns their filters.
//
// Files, in reading order:
//
//   - runs.go: the conditions on runs
//   - steps.go: a search for runs to act on
//   - others.go: those on the audit and on incidents
//   - shared.go: conditions that several lists have
//   - complete.go: what can be typed next
//   - language.go: conditions, and a text that is read with them
//   - values.go: names, numbers and times as conditions take them
//   - known.go: the names that exist
//   - parts.go: a text taken apart, and written
//   - problems.go: what is wrong with a text
package search
