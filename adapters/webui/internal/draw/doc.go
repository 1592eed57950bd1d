// Package draw computes the drawings of the page: the graph of a plan, the timeline of a run, and
// the charts of statistics. Templates turn what it returns into SVG.
//
// It owns where things go and how large they are. It knows nothing of requests, templates, logs or
// views: it is given plans, facts, states and counts, and reads no clock.
//
// Files, in reading order:
//
//   - graph.go: a plan as a graph, and the phases of its nodes
//   - graph_layout.go: where the nodes, branches and arrows of a graph go
//   - graph_node.go: what a node says, and its size
//   - timeline_draw.go: a history as lanes and bars
//   - timeline.go: the events of a run as spans of time
//   - scale.go: times as shares of the timeline's width
//   - chart.go: bars, histograms and columns over time
//   - percent.go: shares as SVG takes them
package draw
