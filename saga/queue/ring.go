package queue

// ring is a double-ended queue of messages that reuses its memory. It grows by
// doubling; the bound is kept by its owner.
type ring struct {
	buf  []queued // its length is zero or a power of two
	head int
	n    int
}

func (r *ring) len() int { return r.n }

func (r *ring) pushBack(q queued) {
	r.grow()
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = q
	r.n++
}

func (r *ring) pushFront(q queued) {
	r.grow()
	r.head = (r.head - 1) & (len(r.buf) - 1)
	r.buf[r.head] = q
	r.n++
}

// popFront removes the first message; the ring must not be empty.
func (r *ring) popFront() queued {
	q := r.buf[r.head]
	r.buf[r.head] = queued{} // lets go of the payload
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return q
}

func (r *ring) grow() {
	if r.n < len(r.buf) {
		return
	}
	buf := make([]queued, max(16, 2*len(r.buf)))
	copied := copy(buf, r.buf[r.head:])
	copy(buf[copied:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}
