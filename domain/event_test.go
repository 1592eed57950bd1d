package domain

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestEveryEventRoundTrips holds the hand-written encoder equal to the struct tags.
func TestEveryEventRoundTrips(t *testing.T) {
	t.Parallel()
	for name, newEvent := range wireTypes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				e := newEvent()
				require.Equal(t, name, e.WireName())
				fill(t, reflect.ValueOf(e).Elem())
				sealed, _ := Seal("run-x", 0, ChainHash{}, e, Meta{At: time.Unix(1, 0)})
				require.True(t, json.Valid(sealed.Data), "%s", sealed.Data)
				back, err := DecodeEvent(sealed.Type, sealed.Data)
				require.NoError(t, err, "%s", sealed.Data)
				require.Equal(t, e, back, "%s", sealed.Data)
			})
		})
	}
}

// fill sets every field of an event to some value that survives JSON.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(0, rapid.Int64Range(1, 1<<60).Draw(t, "ns")).UTC()))
		return
	case json.RawMessage:
		v.SetBytes([]byte(rapid.SampledFrom([]string{`{"a": 1}`, `"x"`, `[1,  2]`, `12345678901234567890.10`, `null`}).Draw(t, "raw")))
		return
	case uuid.UUID:
		v.Set(reflect.ValueOf(uuid.NewSHA1(uuid.Nil, []byte(rapid.String().Draw(t, "id")))))
		return
	case *Node:
		v.Set(reflect.ValueOf(&Node{Kind: KindSequence, Children: []*Node{{Name: "n", Kind: KindDo, Action: &ActionSpec{Name: "a", Retry: RetryPolicy{MaxAttempts: 2}}}}}))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		n := rapid.IntRange(1, 3).Draw(t, "len")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(rapid.MapOfN(rapid.String(), rapid.String(), 1, 3).Draw(t, "map")))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-1000, 1000).Draw(t, "int"))
	case reflect.Float64:
		v.SetFloat(rapid.Float64Range(-1000, 1000).Draw(t, "float"))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, 1<<53).Draw(t, "uint"))
	default:
		t.Fatalf("no value for %v", v.Type())
	}
}

func TestPayloadsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage("{ \"html\" : \"<b>\",\n\t\"n\": 1.0e+2 }")
	sealed, _ := Seal("run-x", 0, ChainHash{}, &AttemptSucceeded{Step: "s", Direction: Do, Attempt: 1, Output: raw}, Meta{At: time.Unix(1, 0)})
	back, err := DecodeEvent(sealed.Type, sealed.Data)
	require.NoError(t, err)
	require.Equal(t, string(raw), string(back.(*AttemptSucceeded).Output))
}

func TestChainFindsEveryChange(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	first, h1 := Seal("run-x", 0, ChainHash{}, &RunStarted{Saga: "s", Input: json.RawMessage(`1`)}, Meta{At: at, Actor: "ann"})
	second, h2 := Seal("run-x", 1, h1, &RunCompleted{Output: json.RawMessage(`2`)}, Meta{At: at})
	rec := func(e NewEvent, rev uint64) *Recorded { return &Recorded{NewEvent: e, Stream: "run-x", Revision: rev} }

	got, err := Verify(rec(first, 0), ChainHash{})
	require.NoError(t, err)
	require.Equal(t, h1, got)
	got, err = Verify(rec(second, 1), h1)
	require.NoError(t, err)
	require.Equal(t, h2, got)

	change := func(f func(*Recorded)) error {
		r := rec(second, 1)
		r.Data, r.Metadata = []byte(string(r.Data)), []byte(string(r.Metadata))
		f(r)
		_, err := Verify(r, h1)
		return err
	}
	for name, f := range map[string]func(*Recorded){
		"data":     func(r *Recorded) { r.Data[0] ^= 1 },
		"metadata": func(r *Recorded) { r.Metadata[8] ^= 1 },
		"type":     func(r *Recorded) { r.Type = "run.cancelled.v1" },
		"revision": func(r *Recorded) { r.Revision = 2 },
		"stream":   func(r *Recorded) { r.Stream = "run-y" },
		"id":       func(r *Recorded) { r.ID[3] ^= 1 },
		"no hash":  func(r *Recorded) { r.Metadata = []byte(`{"at":"2026-01-02T03:04:05Z"}`) },
		"empty":    func(r *Recorded) { r.Metadata = nil },
	} {
		require.ErrorIs(t, change(f), ErrTampered, name)
	}
	_, err = Verify(rec(second, 1), h2)
	require.ErrorIs(t, err, ErrTampered, "predecessor")
}

func TestMetaRoundTrips(t *testing.T) {
	t.Parallel()
	m := Meta{CorrelationID: "c", CausationID: "d", At: time.Unix(7, 5).UTC(), Actor: "a\"b", Trace: "00-x",
		Wake: Wake{State: RunRunning, Due: time.Unix(9, 0).UTC(), Busy: true, Events: true, Node: "n/1"}}
	sealed, h := Seal("run-x", 3, ChainHash{}, &RunPaused{Reason: "r"}, m)
	back, err := DecodeMeta(sealed.Metadata)
	require.NoError(t, err)
	m.Hash = h.String()
	require.Equal(t, m, back)
}

func TestUnknownReservedEventIsRefusedAndOthersAreDomainEvents(t *testing.T) {
	t.Parallel()
	_, err := DecodeEvent("run.teleported.v9", []byte(`{}`))
	var unknown *UnknownEventError
	require.ErrorAs(t, err, &unknown)
	e, err := DecodeEvent("user.signed-up", []byte(`{"a":1}`))
	require.NoError(t, err)
	require.Equal(t, &DomainEvent{Type: "user.signed-up", Payload: json.RawMessage(`{"a":1}`)}, e)
	for _, n := range WireNames() {
		require.True(t, ReservedType(n), n)
	}
}

func TestDelayStaysWithinItsJitter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := RetryPolicy{MaxAttempts: 9, Initial: Duration(rapid.Int64Range(0, 1e9).Draw(t, "initial")), Multiplier: rapid.Float64Range(1, 5).Draw(t, "mult"),
			Fraction: rapid.Float64Range(0, 1).Draw(t, "fraction"), Jitter: rapid.SampledFrom([]Jitter{JitterFull, JitterEqual, JitterFraction, JitterNone}).Draw(t, "jitter")}
		p.Max = p.Initial + Duration(rapid.Int64Range(0, 1e10).Draw(t, "max"))
		require.NoError(t, p.Validate())
		n := rapid.IntRange(1, 2000).Draw(t, "attempt")
		seed := rapid.String().Draw(t, "seed")
		d := p.Delay(n, seed)
		require.Equal(t, d, p.Delay(n, seed))
		require.GreaterOrEqual(t, d, time.Duration(0))
		limit := float64(p.Max)
		if p.Jitter == JitterFraction {
			limit *= 1 + p.Fraction
		}
		require.LessOrEqual(t, float64(d), limit+1)
	})
}

func FuzzDecodeEvent(f *testing.F) {
	for n := range wireTypes {
		f.Add(n, []byte(`{"step":"a","attempt":1}`))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := DecodeEvent(name, data)
		if err != nil {
			return
		}
		if _, ok := e.(*DomainEvent); !ok && !strings.Contains(name, ".v") {
			t.Fatalf("%q decoded as %T", name, e)
		}
	})
}

// TestADelayIsNeverNegative tries policies at the ends of their numbers.
func TestADelayIsNeverNegative(t *testing.T) {
	t.Parallel()
	const ever = Duration(math.MaxInt64)
	for _, jitter := range []Jitter{JitterFull, JitterEqual, JitterFraction, JitterNone} {
		for _, initial := range []Duration{0, 1, Duration(time.Second), ever} {
			for _, multiplier := range []float64{1, 2, math.MaxFloat64} {
				p := RetryPolicy{MaxAttempts: Unlimited, Initial: initial, Max: ever, Multiplier: multiplier, Jitter: jitter, Fraction: 1}
				require.NoError(t, p.Validate())
				for _, attempt := range []int{1, 2, 100, math.MaxInt} {
					d := p.Delay(attempt, "seed")
					require.GreaterOrEqual(t, d, time.Duration(0), "%+v after %d", p, attempt)
					if initial == 0 {
						require.Zero(t, d)
					}
					if jitter == JitterNone && initial == ever {
						require.Equal(t, time.Duration(ever), d)
					}
				}
			}
		}
	}
}
