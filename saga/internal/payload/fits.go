package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Fits reports whether JSON that a person or another program wrote is a T. Unlike Decode it refuses
// members that T does not have, because they are mistakes. The error speaks of fields, not of Go.
func Fits[T any](raw json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	var v T
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return misfit(err)
	}
	return nil
}

// misfit says what is wrong with JSON in the words of whoever wrote it.
func misfit(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		field := wrong.Field
		if field == "" {
			field = "it"
		}
		return fmt.Errorf("%s must be %s, not %s", field, wanted(wrong.Type), given(wrong.Value))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no field %s", name)
	}
	return err
}

// wanted says which JSON a type is read from.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a text"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Pointer:
		return wanted(t.Elem())
	}
	return "an object"
}

// given says what the JSON is, as encoding/json names it: string, number 1.5.
func given(value string) string {
	kind, number, _ := strings.Cut(value, " ")
	switch kind {
	case "string":
		return "a text"
	case "number":
		if number == "" {
			return "a number"
		}
		return "the number " + number
	case "array":
		return "a list"
	case "bool":
		return "true or false"
	}
	return "an " + kind
}
