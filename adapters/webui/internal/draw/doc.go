// Package draw computes the drawings of the page: the graph of a plan, the timeline of a run, and
// the charts of statistics. Templates turn what it returns into SVG.
//
// It owns positions and sizes. It knows nothing of requests, templates, logs or views: it draws
// plans, facts, states and counts that it is given, and reads no clock.
//
// Files, in reading order:
//
//   - graph.go: a plan as a graph, and the phases of its nodes
//   - graph_layout.go: where the nodes, branches and arrows of a graph go
//   - graph_node.go: the texts and the size of a node
//   - timeline_draw.go: a history as lanes and bars
//   - fold.go: which rows of a timeline are drawn
//   - timeline.go: the events of a run as spans of time
//   - scale.go: times as shares of the timeline's width
//   - overtime.go: figures over time
//   - chart.go: bars and histograms
//   - spark.go: arrivals over a day, as a mark in a line
//   - percent.go: shares as percentages for SVG
//   - mark.go: the icons of states
package draw
