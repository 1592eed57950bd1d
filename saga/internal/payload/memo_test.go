package payload

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type flat struct {
	A string  `json:"a"`
	B int64   `json:"b,string"`
	C float64 `json:"c,omitempty"`
	D [2]bool
}

// TestOnlyValuesThatComeBackAreKnown: a value that JSON would change, or that shares memory with
// its copies, is decoded anew.
func TestOnlyValuesThatComeBackAreKnown(t *testing.T) {
	t.Parallel()
	type hidden struct {
		A string
		b int
	}
	for of, want := range map[reflect.Type]traits{
		reflect.TypeFor[flat]():              {alone: true, exact: true},
		reflect.TypeFor[string]():            {alone: true, exact: true},
		reflect.TypeFor[[3]flat]():           {alone: true, exact: true},
		reflect.TypeFor[hidden]():            {alone: true},
		reflect.TypeFor[struct{ flat }]():    {alone: true},
		reflect.TypeFor[[]string]():          {},
		reflect.TypeFor[*int]():              {},
		reflect.TypeFor[map[string]int]():    {},
		reflect.TypeFor[any]():               {},
		reflect.TypeFor[time.Time]():         {},
		reflect.TypeFor[json.RawMessage]():   {},
		reflect.TypeFor[struct{ T []int }](): {},
		reflect.TypeFor[struct {
			A string `json:"-"`
		}](): {alone: true},
		reflect.TypeFor[struct {
			A string `json:"x"`
			B string `json:"X"`
		}](): {alone: true},
		reflect.TypeFor[struct {
			A int `json:",omitzero"`
		}](): {alone: true},
	} {
		require.Equal(t, want, traitsOf(of), "%v", of)
	}
	require.Equal(t, hidden{A: "x"}, hidden{A: "x", b: 0})
}

// TestWhatIsKnownIsWhatWouldBeDecoded holds for any text, also for what is not UTF-8.
func TestWhatIsKnownIsWhatWouldBeDecoded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := flat{string(rapid.SliceOf(rapid.Byte()).Draw(t, "a")), rapid.Int64().Draw(t, "b"), rapid.Float64().Draw(t, "c"), [2]bool{true}}
		var m Memo
		raw, err := EncodeOnce(&m, v)
		require.NoError(t, err)
		want, err := Decode[flat](raw)
		require.NoError(t, err)
		got, err := DecodeOnce[flat](&m, raw)
		require.NoError(t, err)
		require.Equal(t, want, got)
		known, err := DecodeKnown[flat](raw, m.Known(raw))
		require.NoError(t, err)
		require.Equal(t, want, known)
	})
}

func TestNoMemoRemembersNothing(t *testing.T) {
	t.Parallel()
	var m *Memo
	raw, err := EncodeOnce(m, 7)
	require.NoError(t, err)
	require.Nil(t, m.Known(raw))
	v, err := DecodeOnce[int](m, raw)
	require.NoError(t, err)
	require.Equal(t, 7, v)
	_, err = DecodeOnce[int](new(Memo), json.RawMessage(`"x"`))
	require.Error(t, err)
}
