package expr

import (
	"math"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// maxText bounds the texts and lists that functions make.
const maxText = 1 << 20

// functions are those of the level besides CEL's own. They count characters, not bytes. They are
// ours, so that what they do changes with the level and not with a library: a result that was
// recorded yesterday is computed the same way tomorrow.
func functions() []cel.EnvOption {
	text, integer, list := cel.StringType, cel.IntType, cel.ListType(cel.StringType)
	unary := func(name string, f func(string) string) cel.EnvOption {
		return cel.Function(name, cel.MemberOverload("atone_"+name, []*cel.Type{text}, text,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.String(f(asText(v))) })))
	}
	sum := func(id string, of *cel.Type, f func(traits.Lister) ref.Val) cel.FunctionOpt {
		return cel.MemberOverload(id, []*cel.Type{cel.ListType(of)}, of,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return f(v.(traits.Lister)) })) //nolint:forcetypeassert // the overload takes lists
	}
	return []cel.EnvOption{
		unary("trim", strings.TrimSpace),
		unary("lowerAscii", func(s string) string { return mapASCII(s, 'A', 'Z', 'a'-'A') }),
		unary("upperAscii", func(s string) string { return mapASCII(s, 'a', 'z', 'A'-'a') }),
		cel.Function("split", cel.MemberOverload("atone_split", []*cel.Type{text, text}, list,
			cel.BinaryBinding(func(v, sep ref.Val) ref.Val {
				return types.NewStringList(types.DefaultTypeAdapter, strings.Split(asText(v), asText(sep)))
			}))),
		cel.Function("join", cel.MemberOverload("atone_join", []*cel.Type{list, text}, text, cel.BinaryBinding(join))),
		cel.Function("replace", cel.MemberOverload("atone_replace", []*cel.Type{text, text, text}, text, cel.FunctionBinding(replace))),
		cel.Function("substring",
			cel.MemberOverload("atone_substring_from", []*cel.Type{text, integer}, text,
				cel.BinaryBinding(func(v, from ref.Val) ref.Val { return substring(v, from, types.Int(math.MaxInt64)) })),
			cel.MemberOverload("atone_substring", []*cel.Type{text, integer, integer}, text,
				cel.FunctionBinding(func(args ...ref.Val) ref.Val { return substring(args[0], args[1], args[2]) }))),
		cel.Function("indexOf", cel.MemberOverload("atone_index_of", []*cel.Type{text, text}, integer,
			cel.BinaryBinding(func(v, part ref.Val) ref.Val {
				before, _, found := strings.Cut(asText(v), asText(part))
				if !found {
					return types.Int(-1)
				}
				return types.Int(utf8.RuneCountInString(before))
			}))),
		cel.Function("sum", sum("atone_sum_int", integer, sumInts), sum("atone_sum_double", cel.DoubleType, sumDoubles)),
	}
}

func asText(v ref.Val) string {
	s, _ := v.(types.String)
	return string(s)
}

// mapASCII moves the letters from first to last by delta, and leaves all others as they are.
func mapASCII(s string, first, last, delta rune) string {
	return strings.Map(func(r rune) rune {
		if r >= first && r <= last {
			return r + delta
		}
		return r
	}, s)
}

func join(v, sep ref.Val) ref.Val {
	items := v.(traits.Lister) //nolint:forcetypeassert // the overload takes lists
	var b strings.Builder
	for it := items.Iterator(); it.HasNext() == types.True; {
		item, ok := it.Next().(types.String)
		if !ok {
			return types.NewErr("join: an item is no text")
		}
		if b.Len() > 0 {
			b.WriteString(asText(sep))
		}
		if b.WriteString(string(item)); b.Len() > maxText {
			return types.NewErr("join: the text would have more than %d bytes", maxText)
		}
	}
	return types.String(b.String())
}

func replace(args ...ref.Val) ref.Val {
	text, old, by := asText(args[0]), asText(args[1]), asText(args[2])
	if n := strings.Count(text, old); n > 0 && len(text)+n*(len(by)-len(old)) > maxText {
		return types.NewErr("replace: the text would have more than %d bytes", maxText)
	}
	return types.String(strings.ReplaceAll(text, old, by))
}

// substring returns the characters from the one place to before the other, as many as there are.
func substring(v, from, to ref.Val) ref.Val {
	first, _ := from.(types.Int)
	last, _ := to.(types.Int)
	if first < 0 || last < first {
		return types.NewErr("substring: from %d to %d: begin at 0 or later, and do not end before", first, last)
	}
	runes := []rune(asText(v))
	n := types.Int(len(runes))
	return types.String(runes[min(first, n):min(last, n)])
}

func sumInts(v traits.Lister) ref.Val {
	var sum ref.Val = types.Int(0)
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, ok := it.Next().(types.Int)
		if !ok {
			return types.NewErr("sum: an item is no integer")
		}
		if sum = item.Add(sum); types.IsError(sum) {
			return sum
		}
	}
	return sum
}

func sumDoubles(v traits.Lister) ref.Val {
	sum := types.Double(0)
	for it := v.Iterator(); it.HasNext() == types.True; {
		item, ok := it.Next().(types.Double)
		if !ok {
			return types.NewErr("sum: an item is no number")
		}
		sum += item
	}
	return sum
}

// costs are what the functions cost: as much as they read and write.
type costs struct{}

// CallCost implements [cost.ActualCostEstimator].
func (costs) CallCost(_, overload string, args []ref.Val, result ref.Val) *uint64 {
	if !strings.HasPrefix(overload, "atone_") {
		return nil
	}
	cost := uint64(1)
	for _, v := range append(args, result) {
		switch v := v.(type) {
		case types.String:
			cost += uint64(len(v)) / 10
		case traits.Lister:
			if n, ok := v.Size().(types.Int); ok {
				cost += uint64(max(n, 0))
			}
		}
	}
	return &cost
}
