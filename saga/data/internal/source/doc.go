// Package source reads files of YAML or JSON into trees that know their places.
//
// It owns what is refused of such a file (its size and depth, anchors, aliases, merge keys, tags,
// names given twice, several documents, numbers that can be read in two ways), the line and the
// column of everything in it, and how problems are told: one a line, sorted, as a compiler does. It
// knows nothing of sagas and of expressions.
//
// Files, in reading order:
//
//   - read.go: a file, in either notation
//   - yaml.go: YAML
//   - json.go: JSON
//   - scalar.go: what a value of YAML without quotes is
//   - node.go: the tree
//   - problems.go: problems with their places
package source
