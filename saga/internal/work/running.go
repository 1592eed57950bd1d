package work

import "context"

// handling is a handler that was called and has not returned.
type handling struct {
	cancel context.CancelCauseFunc
	// then is called when the handler has returned; nil for nothing to do.
	then func()
}

// WhenReturned calls f when the attempt's handler returns. If that handler does not run here, it
// returns false and never calls f.
func (w *Worker) WhenReturned(id AttemptID, f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.running[id]
	if h == nil {
		return false
	}
	h.then = f
	return true
}

// returned notes that an attempt's handler has returned.
func (w *Worker) returned(id AttemptID) {
	w.mu.Lock()
	h := w.running[id]
	delete(w.running, id)
	w.mu.Unlock()
	if h != nil && h.then != nil {
		h.then()
	}
}

// Cancel ends the context of an attempt, if its handler runs here.
func (w *Worker) Cancel(id AttemptID, cause error) {
	w.mu.Lock()
	h := w.running[id]
	w.mu.Unlock()
	if h != nil {
		h.cancel(cause)
	}
}
