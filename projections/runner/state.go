package runner

// set changes the keeper's state and wakes the goroutines that wait for a change.
func (k *keeper) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
	close(k.commits)
	k.commits = make(chan struct{})
}

// moved returns a channel that is closed with the next commit or failure.
func (k *keeper) moved() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.commits
}
