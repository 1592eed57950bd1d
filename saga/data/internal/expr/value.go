package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/atonehq/atone/saga/data/internal/source"
)

// fromJSON reads a value of the type. Members that are null are errAbsent, lists and maps that are
// null are empty, integers are exact.
func (t *Type) fromJSON(raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", t.Words, err)
	}
	return t.convert(v, t.Words)
}

func (t *Type) convert(v any, at string) (any, error) {
	bad := func(why string) (any, error) { return nil, fmt.Errorf("%s is %s, not %v", at, why, t) }
	switch v := v.(type) {
	case nil:
		switch t.Kind {
		case List:
			return []any{}, nil
		case Map:
			return map[string]any{}, nil
		}
		return nil, nil
	case bool:
		if t.Kind != Boolean && t.Kind != Any {
			return bad("true or false")
		}
		return v, nil
	case string:
		if t.Kind != Text && t.Kind != Any {
			return bad("a text")
		}
		return v, nil
	case json.Number:
		return t.number(v.String(), at)
	case []any:
		if t.Kind != List && t.Kind != Any {
			return bad("a list")
		}
		elem := Open
		if t.Kind == List {
			elem = t.Elem
		}
		for i := range v {
			item, err := elem.convert(v[i], at+"["+strconv.Itoa(i)+"]")
			if err != nil {
				return nil, err
			}
			v[i] = item
		}
		return v, nil
	case map[string]any:
		if t.Kind != Object && t.Kind != Map && t.Kind != Any {
			return bad("an object")
		}
		return t.members(v, at)
	}
	return bad("of no kind")
}

func (t *Type) members(v map[string]any, at string) (any, error) {
	for name := range v {
		member := Open
		f := t.Field(name)
		switch {
		case f != nil:
			member = f.Type
		case t.Kind == Map:
			member = t.Elem
		}
		if v[name] == nil && (f != nil && member.Kind != List && member.Kind != Map) {
			delete(v, name) // null is absent
			continue
		}
		item, err := member.convert(v[name], at+"."+name)
		if err != nil {
			return nil, err
		}
		v[name] = item
	}
	return v, nil
}

// number reads a number. Where the type is open, one without a point and an exponent is an integer.
func (t *Type) number(text, at string) (any, error) {
	switch {
	case t.Kind == Integer || t.Kind == Any && !strings.ContainsAny(text, ".eE"):
		i, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			return i, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if t.Kind == Any && err == nil {
			return f, nil
		}
		if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, fmt.Errorf("%s is %.40s, not an integer of 64 bits", at, text)
		}
		return int64(f), nil
	case t.Kind == Number || t.Kind == Any:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is %.40s, which is beyond what a number can be", at, text)
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s is a number, not %v", at, t)
}

// errNotJSON means that an expression's value has no JSON.
var errNotJSON = errors.New("JSON can't hold it")

// errAbsent is what an expression's value is where it is an optional without a value.
var errAbsent = errors.New("it is absent")

// toJSON appends a value as JSON. [errAbsent] is the error of an optional without a value.
func toJSON(b *bytes.Buffer, v ref.Val) error {
	switch v := v.(type) {
	case types.Null:
		b.WriteString("null")
	case types.Bool:
		b.WriteString(strconv.FormatBool(bool(v)))
	case types.Int:
		b.WriteString(strconv.FormatInt(int64(v), 10))
	case types.Uint:
		b.WriteString(strconv.FormatUint(uint64(v), 10))
	case types.Double:
		raw, err := json.Marshal(float64(v))
		if err != nil {
			return fmt.Errorf("the number is %v: %w", float64(v), errNotJSON)
		}
		b.Write(raw)
	case types.String:
		b.Write(source.Quoted(string(v)))
	case types.Timestamp:
		b.Write(source.Quoted(v.Time.UTC().Format(time.RFC3339Nano)))
	case *types.Optional:
		if !v.HasValue() {
			return errAbsent
		}
		return toJSON(b, v.GetValue())
	case traits.Mapper:
		return mapToJSON(b, v)
	case traits.Lister:
		return listToJSON(b, v)
	default:
		return fmt.Errorf("the value is of type %s: %w", v.Type().TypeName(), errNotJSON)
	}
	return nil
}

func listToJSON(b *bytes.Buffer, v traits.Lister) error {
	b.WriteByte('[')
	first := true
	for it := v.Iterator(); it.HasNext() == types.True; {
		if !first {
			b.WriteByte(',')
		}
		first = false
		if err := toJSON(b, it.Next()); err != nil {
			return err
		}
	}
	b.WriteByte(']')
	return nil
}

// mapToJSON writes the members sorted by name: the same value gives the same bytes.
func mapToJSON(b *bytes.Buffer, v traits.Mapper) error {
	var names []string
	for it := v.Iterator(); it.HasNext() == types.True; {
		name, ok := it.Next().(types.String)
		if !ok {
			return fmt.Errorf("a map whose keys are no texts: %w", errNotJSON)
		}
		names = append(names, string(name))
	}
	slices.Sort(names)
	b.WriteByte('{')
	first := true
	for _, name := range names {
		at := b.Len()
		if !first {
			b.WriteByte(',')
		}
		b.Write(source.Quoted(name))
		b.WriteByte(':')
		err := toJSON(b, v.Get(types.String(name)))
		if errors.Is(err, errAbsent) {
			b.Truncate(at)
			continue
		}
		if err != nil {
			return err
		}
		first = false
	}
	b.WriteByte('}')
	return nil
}
