package saga

import "reflect"

// probe is an expression to be tried during Define.
type probe struct {
	at  *step
	run func(View)
}

// viewProbe marks the View of such a trial, and notes what is read.
type viewProbe struct{ read []*source }

// runProbes tries every expression and checks what it reads. That happens after the whole saga is
// built, so that a Ref assigned after the closure that reads it is told from one never assigned.
func (b *builder) runProbes() {
	for _, p := range b.probes {
		vp := &viewProbe{}
		func() {
			defer func() { _ = recover() }() // a zero value may be more than the author's code can take
			p.run(View{probe: vp})
		}()
		told := map[*source]bool{}
		for _, src := range vp.read {
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

// madeUp returns a value on which an author's code gets as far as it can: the zero value, with
// pointers set and one element in each slice.
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
