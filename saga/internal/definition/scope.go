package definition

import (
	"encoding/json"
	"reflect"

	"github.com/atonehq/atone/saga/internal/contain"
	"github.com/atonehq/atone/saga/internal/payload"
	"github.com/atonehq/atone/saga/machine"
)

// Scope gives an expression access to its run: a [Source] reads its value from it. It is valid
// during the call only.
type Scope struct {
	state *machine.State
	step  *machine.Step // nil for the run's output
	memo  *payload.Memo // may be nil
	trial *trial        // set while a definition is checked
	// foreseen, where it is set, is told each value that is read, and reports whether the run does
	// not have it yet.
	foreseen func(json.RawMessage) bool
}

// NewScope returns the scope for the expression of a step. step is nil for the run's output; memo
// may be nil.
func NewScope(state *machine.State, step *machine.Step, memo *payload.Memo) Scope {
	return Scope{state: state, step: step, memo: memo}
}

// Foreseeing returns the scope for an expression that is called before its run comes to it. read is
// told each value that is read, and reports whether the run does not have it yet: the expression is
// then left with a panic.
func (v Scope) Foreseeing(read func(json.RawMessage) bool) Scope {
	v.foreseen = read
	return v
}

// reads leaves the expression where it reads what the run does not have yet.
func (v Scope) reads(value json.RawMessage) {
	if v.foreseen != nil && v.foreseen(value) {
		panic(&BadReadError{"what is read is not recorded yet"})
	}
}

// Memo returns the run's memo, or nil.
func (v Scope) Memo() *payload.Memo { return v.memo }

// Tries reports whether the expression is only tried, with made-up values. The read is noted.
func (v Scope) Tries(s *Source) bool {
	if v.trial == nil {
		return false
	}
	v.trial.read = append(v.trial.read, s)
	return true
}

// BadReadError is the panic value of a read without a value, or without one of its type: the saga's
// code is wrong, and the run goes on once it is corrected.
type BadReadError struct{ Reason string }

// BadRead returns the bad read that a call of a saga's code panicked with, or nil.
func BadRead(err error) *BadReadError {
	misbehaved, ok := err.(*contain.MisbehavedError)
	if !ok {
		return nil
	}
	bad, _ := misbehaved.Panic.(*BadReadError)
	return bad
}

// FailedError is the panic value of an expression that fails its step for good and whose result has
// no error.
type FailedError struct{ Err error }

// Error implements error.
func (e *FailedError) Error() string { return e.Err.Error() }

// Failing makes such a panic an error. It is deferred; other panics go on.
func Failing(err *error) {
	switch p := recover().(type) { //nolint:revive // it is deferred itself
	case nil:
	case *FailedError:
		*err = p.Err
	default:
		panic(p)
	}
}

// Error implements error.
func (e *BadReadError) Error() string { return e.Reason }

// MadeUp returns a value with which an author's code runs as far as possible: numbers are 1, so
// that divisions and loops work, pointers are set, and slices have one element.
func MadeUp[T any]() T {
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
			return // bytes: one zero byte would more often be invalid than no byte
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
