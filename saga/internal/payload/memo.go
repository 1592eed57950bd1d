package payload

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// Memo remembers, for one run in memory, the values of payloads that were decoded or written here,
// so that each is decoded only once. It holds only values whose copies share nothing with them,
// because readers may change their copy. A nil Memo remembers nothing. It is safe to use
// concurrently.
type Memo struct {
	mu sync.Mutex
	// values are keyed by the address of their JSON's first byte, which keeps the JSON in memory.
	values map[*byte]any
}

// maxRemembered bounds the remembered values of a run.
const maxRemembered = 64

// Known returns the value of a payload, or nil.
func (m *Memo) Known(raw json.RawMessage) any {
	if m == nil || len(raw) == 0 {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[&raw[0]]
}

func (m *Memo) remember(raw json.RawMessage, v any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.values == nil {
		m.values = make(map[*byte]any, 4)
	}
	if len(m.values) < maxRemembered {
		m.values[&raw[0]] = v
	}
}

// DecodeKnown is [Decode] of a payload whose value may be known.
func DecodeKnown[T any](raw json.RawMessage, known any) (T, error) {
	if v, ok := known.(T); ok {
		return v, nil
	}
	return Decode[T](raw)
}

// DecodeOnce is [Decode] with a memo.
func DecodeOnce[T any](m *Memo, raw json.RawMessage) (T, error) {
	v, err := DecodeKnown[T](raw, m.Known(raw))
	if err == nil && m != nil && len(raw) > 0 && traitsOf(reflect.TypeFor[T]()).alone {
		m.remember(raw, v)
	}
	return v, err
}

// EncodeOnce is [Encode] with a memo: it remembers a value that is certain to come back unchanged.
func EncodeOnce[T any](m *Memo, v T) (json.RawMessage, error) {
	raw, err := Encode(v)
	if err == nil && m != nil && traitsOf(reflect.TypeFor[T]()).exact && !bytes.Contains(raw, replaced) {
		m.remember(raw, v)
	}
	return raw, err
}

// replaced is what encoding/json writes for text that is not UTF-8.
var replaced = []byte(`\ufffd`)

// traits are properties of a type's values.
type traits struct {
	// alone means that a copy of a value shares nothing with it.
	alone bool
	// exact means also that decoding a value's JSON gives an equal value, if its texts are UTF-8.
	exact bool
}

var knownTraits sync.Map // of traits, by reflect.Type

func traitsOf(t reflect.Type) traits {
	if known, ok := knownTraits.Load(t); ok {
		return known.(traits)
	}
	found := findTraits(t)
	knownTraits.Store(t, found)
	return found
}

func findTraits(t reflect.Type) traits {
	if p := reflect.PointerTo(t); Marshals(t) || p.Implements(unmarshaler) || p.Implements(textUnmarshaler) {
		return traits{}
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return traits{alone: true, exact: true}
	case reflect.Array:
		return findTraits(t.Elem())
	case reflect.Struct:
		all, names := traits{alone: true, exact: true}, make(map[string]bool)
		for i := range t.NumField() {
			f := t.Field(i)
			of := findTraits(f.Type)
			tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			name := strings.ToLower(tag)
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			all.alone = all.alone && of.alone
			all.exact = all.exact && of.exact && f.IsExported() && !f.Anonymous && tag != "-" &&
				// It would call the value's own code.
				!names[name] && !strings.Contains(options, "omitzero")
			names[name] = true
		}
		return all
	}
	return traits{}
}
