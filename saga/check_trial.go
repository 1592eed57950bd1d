package saga

import (
	"reflect"
	"time"
)

// probe is an expression to be tried during Define.
type probe struct {
	at  *step
	run func(Scope)
}

// scopeProbe marks the Scope of such a trial, and notes what is read.
type scopeProbe struct{ read []*source }

// trialLimit is how long an expression may take in a trial; one that takes longer hangs, or does
// what no expression should.
const trialLimit = 10 * time.Second

// runProbes tries every expression and checks what it reads. That happens after the whole saga is
// built, so that a Ref assigned after the closure that reads it is told from one never assigned.
func (b *builder) runProbes(limit time.Duration) {
	for _, p := range b.probes {
		read, ended := p.try(limit)
		if !ended {
			b.fail(p.at.key, "its function did not return within %v for made-up values (numbers are 1, lists have one element): it must not wait or loop for ever", limit)
			continue
		}
		told := map[*source]bool{}
		for _, src := range read {
			if told[src] {
				continue
			}
			told[src] = true
			if src == nil {
				b.fail(p.at.key, "reads a Ref that no step made: assign it from the step that makes it")
			} else if why := src.hiddenFrom(p.at); why != "" {
				b.fail(p.at.key, "reads %s, %s", src.path(), why)
			}
		}
	}
}

// try runs the expression and returns what it read, and whether it came to an end.
func (p probe) try(limit time.Duration) ([]*source, bool) {
	vp := &scopeProbe{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }() // made-up values may be more than the author's code can take
		p.run(Scope{probe: vp})
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return vp.read, true
	case <-timer.C:
		return nil, false
	}
}

// madeUp returns a value on which an author's code gets as far as it can: numbers are 1, so that
// they divide and step, pointers are set, and slices have one element.
func madeUp[T any]() T {
	var v T
	fillIn(reflect.ValueOf(&v).Elem(), 3)
	return v
}

// fillIn follows pointers and slices to the given depth.
func fillIn(v reflect.Value, depth int) {
	if depth == 0 || !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(v.Elem(), depth-1)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // bytes: one zero byte is more likely to be wrong than none
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fillIn(v.Index(0), depth-1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(v.Field(i), depth) // a struct that holds itself does so by pointer or slice
		}
	}
}
