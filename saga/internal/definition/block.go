package definition

import (
	"github.com/atonehq/atone/domain"
)

// blockKind is the purpose of a block. It decides where its refs may be read.
type blockKind uint8

const (
	blockRoot blockKind = iota
	blockParallel
	blockSwitch
	blockEach
)

// block is the sequence of steps that one function adds.
type block struct {
	kind  blockKind
	label string
	owner *step // nil for the root
	node  *domain.Node
	names *nameScope
	count int   // steps added
	ret   *step // its Return or Reject
	// rejects means that it ends with a Reject.
	rejects bool
	// returns is set for a branch whose function returns a value.
	returns bool
	// open is set while its function runs, inner while a function inside that one runs.
	open, inner bool
}

// nameScope is a scope in which names are unique.
type nameScope struct {
	prefix string
	depth  int // number of eaches around
	steps  map[string]*step
	auto   map[string]int
}

func newNameScope(prefix string, depth int) *nameScope {
	return &nameScope{prefix: prefix, depth: depth, steps: map[string]*step{}, auto: map[string]int{}}
}

// step is a node while it is being defined.
type step struct {
	node *domain.Node
	key  string
	blk  *block
	// index is its place in the block.
	index int
	// ruled is set where the author named the rule.
	ruled bool
	// rejects is set for a Reject.
	rejects bool
	// exhaustive is set for a switch that always takes a branch.
	exhaustive bool
	// noReturn is, for a child, the step after which it can't be undone.
	noReturn string
	// mayPlan is, for a plan, an irreversible action among those that it uses.
	mayPlan string
}

// source returns the source that a Ref to the step refers to.
func (st *step) source() *Source {
	return &Source{name: st.node.Name, block: st.blk, index: st.index, step: st}
}
