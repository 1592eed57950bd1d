package groups

// background runs f in a goroutine and returns true; once the group is closed it only returns
// false. The group waits for these goroutines before it ends. The group is locked.
func (g *Group) background(f func()) bool {
	if !g.closed {
		g.work.Go(f)
	}
	return !g.closed
}
