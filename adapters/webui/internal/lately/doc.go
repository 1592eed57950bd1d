// Package lately keeps answers that every page shows, such as how many runs are stuck below, so
// that they are not asked for anew with each page.
//
// It owns when a question is asked again, who waits for the answer, and the words for lists that
// are behind. It knows nothing of how questions are answered.
//
// Files, in reading order:
//
//   - answer.go: the latest answer to one question
//   - behind.go: how far lists are behind, in a sentence
package lately
