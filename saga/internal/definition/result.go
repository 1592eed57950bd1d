package definition

import (
	"github.com/atonehq/atone/domain"
)

// result makes a source the output of a block.
func (b *Builder) result(blk *block, out *Source, none bool) {
	path := ""
	if blk.owner != nil {
		path = blk.owner.key
	}
	end := &step{blk: blk, index: blk.count, key: path}
	switch {
	case out == nil && (none || blk.rejects || len(b.errs) > 0):
		return
	case out == nil:
		b.fail(path, "its function returns a Ref that no step made: return a step's Ref or saga.Return(…)")
		return
	case blk.ret != nil && out.step != blk.ret:
		b.fail(blk.ret.key, "the Ref of Return is not what its function returns: return it, or use saga.Compute")
		return
	}
	if why := out.hiddenFrom(end); why != "" {
		b.fail(path, "returns the output of %s, %s", out.Path(), why)
		return
	}
	switch {
	case out.step != nil && out.step == blk.ret && blk == b.root:
		b.plan.Returns = true
		b.code[ReturnKey] = b.code[out.step.key]
		delete(b.code, out.step.key)
		blk.node.Children = blk.node.Children[:len(blk.node.Children)-1]
	case out.kind == fromStep && out.block.names == blk.names:
		blk.node.Result = out.name
	case blk == b.root:
		b.plan.Returns = true
		b.code[ReturnKey] = Expression{Value: out.rawValue}
	default:
		st := (&Flow{b, blk}).addClosed(domain.KindCompute, "return")
		b.code[st.key] = Expression{Value: out.rawValue}
		blk.node.Result = st.node.Name
	}
}
