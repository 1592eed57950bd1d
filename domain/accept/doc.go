// Package accept checks what enters: the payloads, names, texts, times and numbers that callers
// give to atone.
//
// It owns one promise: what is accepted comes back the same. Before anything is written, it refuses
// payloads that readers read differently (a member twice, bytes that are not UTF-8), names that
// screens do not show, and times that views can't compare. Every entrance uses it (the Go API,
// HTTP, the command line, the web page, triggers, brokers), so all of them refuse the same.
//
// It knows nothing of sagas, runs or entrances. It keeps and writes nothing. Its errors are plain
// sentences; each entrance wraps them in the error that its callers branch on. They never repeat a
// payload's values, and at most a part of a name.
//
// Files, in reading order:
//
//   - payload.go: JSON that comes in
//   - strings.go: Go values that encoding/json would change
//   - time.go: times, ages and numbers
//   - name.go: names, keys, labels and what people write
//   - meant.go: what a misspelt name may have meant
package accept
