package payload

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Same compares two JSON texts by value: white space and the order of members do not matter, and
// numbers are compared as they are written.
func Same(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err1 := decodeNumbers(a)
	y, err2 := decodeNumbers(b)
	return err1 == nil && err2 == nil && reflect.DeepEqual(x, y)
}

func decodeNumbers(raw json.RawMessage) (v any, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	err = dec.Decode(&v)
	return v, err
}
