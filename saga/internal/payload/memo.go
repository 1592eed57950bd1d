package payload

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// Memo remembers, for one run in memory, the values of payloads that were decoded or written here,
// so that each is decoded once. It holds values that share nothing with their copies only: whoever
// reads one may change it. A nil Memo remembers nothing. It is safe to use concurrently.
type Memo struct {
	mu sync.Mutex
	// values are known by the first byte of their JSON, which they keep in memory.
	values map[*byte]any
}

// maxRemembered bounds the values of a run that are remembered.
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

// EncodeOnce is [Encode] with a memo: a value that is sure to come back as it is, is not decoded
// again.
func EncodeOnce[T any](m *Memo, v T) (json.RawMessage, error) {
	raw, err := Encode(v)
	if err == nil && m != nil && traitsOf(reflect.TypeFor[T]()).exact && !bytes.Contains(raw, replaced) {
		m.remember(raw, v)
	}
	return raw, err
}

// replaced is what encoding/json writes for text that is not UTF-8.
var replaced = []byte(`\ufffd`)

// traits are what is known of a type's values.
type traits struct {
	// alone means that a copy of a value shares nothing with it.
	alone bool
	// exact means also that a value equals what is decoded from its JSON, where its texts are
	// UTF-8.
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
				!names[name] && !strings.Contains(options, "omitzero") // asks the value's own code
			names[name] = true
		}
		return all
	}
	return traits{}
}
