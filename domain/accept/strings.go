package accept

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// Strings refuses a value that holds a string which is not UTF-8. raw is the value as encoding/json
// wrote it, with replacement characters in such strings, so a different text would come back.
func Strings(what string, raw []byte, v any) error {
	if !bytes.Contains(raw, []byte(`\ufffd`)) || !broken(reflect.ValueOf(v), 0) {
		return nil
	}
	return fmt.Errorf("%s has a text that is not valid UTF-8: it would come back changed; send bytes as []byte", what)
}

// broken reports whether a value has a string that encoding/json would change. It skips types with
// marshalers of their own.
func broken(v reflect.Value, depth int) bool {
	if !v.IsValid() || depth > MaxDepth {
		return false
	}
	if v.CanInterface() {
		switch v.Interface().(type) {
		case json.Marshaler, encoding.TextMarshaler:
			return false
		}
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return !v.IsNil() && broken(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return false
		}
		for i := range v.Len() {
			if broken(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if broken(it.Key(), depth+1) || broken(it.Value(), depth+1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && broken(v.Field(i), depth+1) {
				return true
			}
		}
	}
	return false
}
