package form

import (
	"bytes"
	"encoding/json"
	"reflect"
)

// Restore takes a payload that a person edited, as it was shown without its secrets, and puts back
// those that were left as they were shown. It returns nil where nothing was edited at all.
func Restore(written, shown, own json.RawMessage) (json.RawMessage, error) {
	w, err := tree(written)
	if err != nil {
		return nil, err
	}
	s, err := tree(shown)
	if err != nil {
		return written, nil //nolint:nilerr // there was nothing to be left as it was shown
	}
	if reflect.DeepEqual(w, s) {
		return nil, nil
	}
	o, err := tree(own)
	if err != nil {
		return written, nil //nolint:nilerr // there is nothing to put back
	}
	back, changed := restored(w, s, o)
	if !changed {
		return written, nil
	}
	return json.Marshal(back)
}

// restored returns the value with what was hidden in it, and whether there was anything.
func restored(written, shown, own any) (any, bool) {
	if reflect.DeepEqual(written, shown) {
		return own, !reflect.DeepEqual(shown, own)
	}
	changed := false
	switch w := written.(type) {
	case map[string]any:
		s, _ := shown.(map[string]any)
		o, _ := own.(map[string]any)
		for name := range w {
			if sv, ok := s[name]; ok {
				next, hidden := restored(w[name], sv, o[name])
				w[name], changed = next, changed || hidden
			}
		}
	case []any:
		s, _ := shown.([]any)
		o, _ := own.([]any)
		for i := range min(len(w), len(s), len(o)) {
			next, hidden := restored(w[i], s[i], o[i])
			w[i], changed = next, changed || hidden
		}
	}
	return written, changed
}

// tree reads JSON, with numbers as they are written.
func tree(raw json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return v, d.Decode(&v)
}
