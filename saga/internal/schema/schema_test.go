package schema

import (
	"encoding/json"
	"math/big"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

type node struct {
	Name string  `json:"name"`
	Kids []*node `json:"kids,omitempty"`
}

type base struct {
	ID   uuid.UUID `json:"id"`
	Note string    `json:"note" doc:"Hidden by the outer field."`
}

type order struct {
	base
	Note    string            `json:"note,omitempty" doc:"For <people> & machines." maxLength:"200"`
	Amount  int64             `json:"amount" minimum:"1" maximum:"10000" example:"42"`
	Cur     string            `json:"cur" enum:"EUR,USD" default:"EUR"`
	Card    string            `json:"card" atone:"secret"`
	Email   string            `json:"email" atone:"search" format:"email"`
	At      time.Time         `json:"at,omitzero"`
	Items   []string          `json:"items" enum:"a,b"`
	Labels  map[string]string `json:"labels,omitempty"`
	Raw     json.RawMessage   `json:"raw,omitempty"`
	Any     any               `json:"any,omitempty"`
	Tree    *node             `json:"tree"`
	Big     big.Int           `json:"big" required:"false"`
	Bytes   []byte            `json:"bytes,omitempty"`
	Seq     uint64            `json:"seq,string"`
	Pair    [2]bool           `json:"pair,omitempty"`
	skipped int
	Gone    string `json:"-"`
}

func TestASchemaTellsTheFieldsOfATypeInOrder(t *testing.T) {
	t.Parallel()
	_ = order{skipped: 1}
	got := string(Of(reflect.TypeFor[order]()))
	//nolint:testifylint // the order of the members counts
	require.Equal(t, `{"title":"order","type":"object","properties":{`+
		`"note":{"type":"string","description":"For <people> & machines.","maxLength":200},`+
		`"amount":{"type":"integer","minimum":1,"maximum":10000,"examples":[42]},`+
		`"cur":{"type":"string","enum":["EUR","USD"],"default":"EUR"},`+
		`"card":{"type":"string","x-secret":true},`+
		`"email":{"type":"string","format":"email","x-search":true},`+
		`"at":{"type":"string","format":"date-time"},`+
		`"items":{"type":["array","null"],"items":{"type":"string","enum":["a","b"]}},`+
		`"labels":{"type":["object","null"],"additionalProperties":{"type":"string"}},`+
		`"raw":{"title":"RawMessage"},`+
		`"any":{},`+
		`"tree":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]},`+
		`"big":{"type":"number"},`+
		`"bytes":{"type":["string","null"],"contentEncoding":"base64"},`+
		`"seq":{"type":"string"},`+
		`"pair":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2},`+
		`"id":{"type":"string","format":"uuid"}},`+
		`"required":["amount","cur","card","email","items","seq","id"],"additionalProperties":false,`+
		`"$defs":{"node":{"title":"node","type":"object","properties":{"name":{"type":"string"},"kids":{"type":["array","null"],"items":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}}},"required":["name"],"additionalProperties":false}}}`, got)
	require.Equal(t, got, string(Of(reflect.TypeFor[order]())), "the same each time")
}

// list is a type of itself, bad panics as a zero value, and loud writes what no schema says.
type (
	list []list
	bad  struct{}
	loud struct{ A chan int }
)

func (bad) MarshalJSON() ([]byte, error)  { panic("no") }
func (loud) MarshalJSON() ([]byte, error) { return []byte(`{"x":1}`), nil }

func TestAnyTypeHasASchema(t *testing.T) {
	t.Parallel()
	for _, v := range []any{0, uint8(1), 1.5, "s", true, []int{}, map[string]int{}, list{}, bad{}, loud{}, &node{}, struct{}{}, make(chan int), func() {}, time.Second, json.Number("1"), [][]byte{},
		struct {
			A int `enum:"1,2" default:"x" minimum:"many"` //nolint:revive // bad tags are what is tried
		}{}, map[string]*node{}, [3]node{}} {
		raw := Of(reflect.TypeOf(v))
		require.True(t, json.Valid(raw), "%T: %s", v, raw)
		require.Less(t, len(raw), 200_000, "%T", v)
	}
	require.JSONEq(t, `{}`, string(Of(nil)))
	require.JSONEq(t, `{"title":"loud"}`, string(Of(reflect.TypeOf(loud{}))))
}

// wide holds many copies of what is below it.
type (
	wide0 struct{ A, B, C, D int }
	wide1 struct{ A, B, C, D, E, F, G, H wide0 }
	wide2 struct{ A, B, C, D, E, F, G, H wide1 }
	wide3 struct{ A, B, C, D, E, F, G, H wide2 }
	wide4 struct{ A, B, C, D, E, F, G, H wide3 }
)

func TestASchemaIsBounded(t *testing.T) {
	t.Parallel()
	require.Less(t, len(Of(reflect.TypeFor[wide4]())), 400_000)
}
