// Package diagram draws plans as Mermaid flowcharts, for pages, documents and the command line.
//
// It owns the shapes of steps, their labels and the colours of states. It knows nothing of runs,
// definitions or pages: its input is a plan and the names of its nodes' states.
//
// Files, in reading order:
//
//   - mermaid.go: the walk over a plan that writes nodes and arrows
//   - label.go: what is written on a node
//   - colour.go: which state has which colour
package diagram
