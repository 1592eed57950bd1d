package machine

// list is a doubly linked list of steps in the order in which they joined it.
type list struct {
	head, tail *Step
	held       bool // see [State.Park]
}

func (l *list) add(st *Step) {
	st.prev, st.nxt, st.on = l.tail, nil, l
	if l.tail != nil {
		l.tail.nxt = st
	} else {
		l.head = st
	}
	l.tail = st
}

func (l *list) remove(st *Step) {
	if st.prev != nil {
		st.prev.nxt = st.nxt
	} else {
		l.head = st.nxt
	}
	if st.nxt != nil {
		st.nxt.prev = st.prev
	} else {
		l.tail = st.prev
	}
	st.prev, st.nxt, st.on = nil, nil, nil
}
