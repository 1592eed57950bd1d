package payload

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/atonehq/atone/domain/accept"
)

// UnrecordableError is the error of an attempt that succeeded but whose outcome can't be recorded:
// JSON can't hold it, it is too large or too deep, or it does not come back from its JSON. The work
// was done (rule 11).
type UnrecordableError struct{ Err error }

// Error implements error.
func (e *UnrecordableError) Error() string {
	return "it was done, but its outcome can't be recorded: " + e.Err.Error()
}

// Unwrap returns the reason.
func (e *UnrecordableError) Unwrap() error { return e.Err }

// Recorder writes a handler's result as JSON, or says why it can't be recorded, as a
// [*UnrecordableError].
func Recorder[T any]() func(v T) (json.RawMessage, error) {
	_, always := ReadsBack(reflect.TypeFor[T]())
	return func(v T) (raw json.RawMessage, err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("writing it as JSON panicked: %v", p)
			}
			if err != nil {
				raw, err = nil, &UnrecordableError{err}
			}
		}()
		if raw, err = Encode(v); err != nil {
			return nil, err
		}
		if err = accept.Size("the output", raw); err != nil {
			return nil, err
		}
		if !always {
			if _, err = Decode[T](raw); err != nil {
				return nil, fmt.Errorf("the output does not come back from its JSON: %w", err)
			}
		}
		return raw, accept.Strings("the output", raw, v)
	}
}
