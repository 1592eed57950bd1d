package expr

import (
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// provider gives CEL the objects of a file by made-up names. It is not safe for concurrent use
// while a file is compiled.
type provider struct {
	*types.Registry
	objects map[string]*Type
	names   map[*Type]string
	// missed are the members that were asked for and that their objects do not have.
	missed map[string]*Type
}

func newProvider() (*provider, error) {
	r, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return &provider{Registry: r, objects: map[string]*Type{}, names: map[*Type]string{}}, nil
}

// celType returns the type as CEL has it.
func (p *provider) celType(t *Type) *cel.Type {
	switch t.Kind {
	case Nothing:
		return cel.NullType
	case Boolean:
		return cel.BoolType
	case Integer:
		return cel.IntType
	case Number:
		return cel.DoubleType
	case Text:
		return cel.StringType
	case Timestamp:
		return cel.TimestampType
	case Duration:
		return cel.DurationType
	case List:
		return cel.ListType(p.celType(t.Elem))
	case Map:
		return cel.MapType(cel.StringType, p.celType(t.Elem))
	case Object:
		name := p.names[t]
		if name == "" {
			name = "object" + strconv.Itoa(len(p.names))
			p.names[t], p.objects[name] = name, t
		}
		return cel.ObjectType(name)
	}
	return cel.DynType
}

// typeOf is the way back.
func (p *provider) typeOf(t *cel.Type) *Type {
	switch t.Kind() {
	case types.NullTypeKind:
		return &Type{Kind: Nothing, Maybe: true}
	case types.BoolKind:
		return &Type{Kind: Boolean}
	case types.IntKind, types.UintKind:
		return &Type{Kind: Integer}
	case types.DoubleKind:
		return &Type{Kind: Number}
	case types.StringKind:
		return &Type{Kind: Text}
	case types.TimestampKind:
		return &Type{Kind: Timestamp}
	case types.DurationKind:
		return &Type{Kind: Duration}
	case types.ListKind:
		return &Type{Kind: List, Elem: p.typeOf(t.Parameters()[0])}
	case types.MapKind:
		if key := t.Parameters()[0].Kind(); key != types.StringKind && key != types.DynKind {
			return &Type{Kind: Other}
		}
		return &Type{Kind: Map, Elem: p.typeOf(t.Parameters()[1])}
	case types.OpaqueKind:
		if t.TypeName() == "optional_type" {
			own := *p.typeOf(t.Parameters()[0])
			own.Maybe = true
			return &own
		}
		return &Type{Kind: Other}
	case types.StructKind:
		if known := p.objects[t.TypeName()]; known != nil {
			return known
		}
		return &Type{Kind: Other}
	case types.BytesKind, types.TypeKind:
		return &Type{Kind: Other}
	}
	return Open
}

// FindStructType implements [types.Provider].
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if p.objects[name] != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return nil, false
}

// FindStructFieldNames implements [types.Provider].
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if t := p.objects[name]; t != nil {
		return t.Names(), true
	}
	return nil, false
}

// FindStructFieldType implements [types.Provider].
func (p *provider) FindStructFieldType(object, name string) (*types.FieldType, bool) {
	t := p.objects[object]
	if t == nil {
		return nil, false
	}
	f := t.Field(name)
	if f == nil && !t.Open {
		if p.missed != nil {
			p.missed[name] = t
		}
		return nil, false
	}
	if f == nil {
		return &types.FieldType{Type: types.DynType}, true
	}
	return &types.FieldType{Type: p.celType(f.Type)}, true
}

// NewValue implements [types.Provider]: expressions make maps, not objects.
func (p *provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("unknown type %s", name)
}
