package due

import (
	"cmp"
	"container/heap"
	"slices"
	"time"
)

// Heap holds items by the time at which they are due, those of the same time in the order of their
// numbers. The zero value is empty. It is not safe for concurrent use.
type Heap[T any] struct{ items items[T] }

// Item is a value's place on a heap. The zero value is on none.
type Item[T any] struct {
	of  T
	at  time.Time
	seq uint64
	i   int
	on  *Heap[T]
}

// Join puts the value on a heap, from which the item leaves first where it is on one. The number is
// higher than those of all items that joined before.
func (it *Item[T]) Join(h *Heap[T], of T, at time.Time, seq uint64) {
	it.Leave()
	it.of, it.at, it.seq, it.on = of, at, seq, h
	heap.Push(&h.items, it)
}

// Leave takes the item off its heap, if it is on one.
func (it *Item[T]) Leave() {
	if it.on != nil {
		heap.Remove(&it.on.items, it.i)
		it.on = nil
	}
}

func (it *Item[T]) compare(other *Item[T]) int {
	if c := it.at.Compare(other.at); c != 0 {
		return c
	}
	return cmp.Compare(it.seq, other.seq)
}

// Len returns the number of items.
func (h *Heap[T]) Len() int { return len(h.items) }

// Next returns the earliest time; it is zero where the heap is empty.
func (h *Heap[T]) Next() time.Time {
	if len(h.items) == 0 {
		return time.Time{}
	}
	return h.items[0].at
}

// Each calls f for every value and its time, in no order.
func (h *Heap[T]) Each(f func(of T, at time.Time)) {
	for _, it := range h.items {
		f(it.of, it.at)
	}
}

// By returns the values of all the heaps that are due at the time, the earliest first. It does not
// look at the others.
func By[T any](now time.Time, heaps ...*Heap[T]) []T {
	var due []*Item[T]
	for _, h := range heaps {
		due = h.items.by(now, due)
	}
	if len(due) == 0 {
		return nil
	}
	slices.SortFunc(due, (*Item[T]).compare)
	values := make([]T, len(due))
	for i, it := range due {
		values[i] = it.of
	}
	return values
}

// AsJoined returns the values of all the heaps in the order in which they joined.
func AsJoined[T any](heaps ...*Heap[T]) []T {
	var all []*Item[T]
	for _, h := range heaps {
		all = append(all, h.items...)
	}
	slices.SortFunc(all, func(a, b *Item[T]) int { return cmp.Compare(a.seq, b.seq) })
	values := make([]T, len(all))
	for i, it := range all {
		values[i] = it.of
	}
	return values
}

type items[T any] []*Item[T]

// by adds the items that are due.
func (l items[T]) by(now time.Time, due []*Item[T]) []*Item[T] {
	if len(l) == 0 || now.Before(l[0].at) {
		return due
	}
	look := []int{0}
	for len(look) > 0 {
		i := look[len(look)-1]
		look = look[:len(look)-1]
		if i < len(l) && !now.Before(l[i].at) {
			due = append(due, l[i])
			look = append(look, 2*i+1, 2*i+2)
		}
	}
	return due
}

// Len implements [heap.Interface], as the four methods below do.
func (l items[T]) Len() int           { return len(l) }
func (l items[T]) Less(i, j int) bool { return l[i].compare(l[j]) < 0 }

func (l items[T]) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].i, l[j].i = i, j
}

func (l *items[T]) Push(x any) {
	it := x.(*Item[T]) //nolint:forcetypeassert // it holds nothing else
	it.i = len(*l)
	*l = append(*l, it)
}

func (l *items[T]) Pop() any {
	last := len(*l) - 1
	it := (*l)[last]
	(*l)[last] = nil
	*l = (*l)[:last]
	return it
}
