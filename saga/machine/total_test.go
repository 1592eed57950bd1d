package machine

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/atonehq/atone/domain"
)

// TestEvolveIsTotal feeds events that fit and events that do not, in any order: nothing panics, and
// the state stays one that can be asked, decided on and saved.
func TestEvolveIsTotal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, evolveIsTotal)
}

// FuzzEvolve is the same with go test -fuzz.
func FuzzEvolve(f *testing.F) { f.Fuzz(rapid.MakeFuzz(evolveIsTotal)) }

func evolveIsTotal(t *rapid.T) {
	plan := drawPlan(t, 10)
	s := New(plan, uuid.NewSHA1(uuid.Nil, []byte("run")))
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if rapid.IntRange(1, 10).Draw(t, "begin properly") > 1 {
		s = Evolve(s, domain.Fact{Event: &domain.RunStarted{Saga: "random", Version: 1, Plan: plan.Hash()}, Meta: domain.Meta{At: now}})
	}
	types := wireEvents()
	for range rapid.IntRange(0, 40).Draw(t, "events") {
		e := reflect.New(rapid.SampledFrom(types).Draw(t, "type"))
		anyValue(t, s, e.Elem())
		now = now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
		s = Evolve(s, domain.Fact{Event: e.Interface().(domain.Event), Meta: domain.Meta{At: now}, Revision: uint64(s.Revision + 1)})
	}
	dump(s)
	if err := checkWaits(s); err != nil {
		t.Fatal(err)
	}
	s.Wake()
	s.InFlight(func(Attempt) {})
	s.Children(func(*Step, bool) {})
	s.StuckSteps(func(*Step) {})
	var intents []Intent
	s.Todo(now, func(d Duty, st *Step) bool {
		if d == Start {
			intents = append(intents, Begin{Step: st.Path})
		}
		return true
	})
	s.Steps(func(st *Step) {
		intents = append(intents, Begin{Step: st.Path}, Consequence{Step: st.Path}, Evaluated{Step: st.Path, Value: json.RawMessage(`1`)})
		for _, dir := range []domain.Direction{domain.Do, domain.Undo, domain.Probe, domain.Handler} {
			n := st.Tries(dir).N
			intents = append(intents, Outcome{Step: st.Path, Direction: dir, Attempt: n}, Lost{Step: st.Path, Direction: dir, Attempt: n},
				Outcome{Step: st.Path, Direction: dir, Attempt: n, Failure: &domain.Failure{Kind: domain.FailureRetryable, InDoubt: true}}, Beat{Step: st.Path, Direction: dir, Attempt: n})
		}
	})
	intents = append(intents, Tick{}, Cancel{}, TurnBack{}, Proceed{}, Retry{}, Resolve{How: domain.ResolveSkip}, Abandon{}, Signal{Name: "red", ID: "1"}, Finish{})
	for _, in := range intents {
		_, _ = Decide(s, in, now)
	}
	if s.root != nil {
		if _, err := Snapshot(s); err != nil {
			t.Fatal(err)
		}
	}
}

// wireEvents returns the types of all events that a run's stream may hold.
func wireEvents() (types []reflect.Type) {
	for _, name := range domain.WireNames() {
		e, err := domain.DecodeEvent(name, []byte(`{}`))
		if err != nil {
			panic(err)
		}
		types = append(types, reflect.TypeOf(e).Elem())
	}
	// In an order that does not change, so that a seed replays.
	for i := range types {
		for j := i + 1; j < len(types); j++ {
			if types[j].Name() < types[i].Name() {
				types[i], types[j] = types[j], types[i]
			}
		}
	}
	return types
}

// anyValue sets every field of an event to something that may, or may not, fit the run.
func anyValue(t *rapid.T, s *State, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, rapid.IntRange(0, 59).Draw(t, "time"), 0, time.UTC)))
		return
	case json.RawMessage:
		v.SetBytes([]byte(rapid.SampledFrom([]string{`null`, `1`, `{"a":2}`}).Draw(t, "raw")))
		return
	case uuid.UUID:
		return
	case *domain.Node:
		if rapid.Bool().Draw(t, "node") {
			p := &planner{t: t}
			v.Set(reflect.ValueOf(&domain.Node{Kind: domain.KindSequence, Children: []*domain.Node{p.step(3)}}))
		}
		return
	case domain.Direction:
		v.SetString(rapid.SampledFrom([]string{"do", "undo", "probe", "failure", "sideways"}).Draw(t, "direction"))
		return
	case domain.FailureKind:
		v.SetString(rapid.SampledFrom([]string{"retryable", "permanent", "timed_out", "lost", "cancelled"}).Draw(t, "kind"))
		return
	case domain.Verdict:
		v.SetString(rapid.SampledFrom([]string{"applied", "not_applied", "unknown"}).Draw(t, "verdict"))
		return
	case domain.RunState:
		v.SetString(rapid.SampledFrom([]string{"completed", "compensated", "cancelled", "abandoned", "running"}).Draw(t, "state"))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "Step" && v.Field(i).Kind() == reflect.String {
				v.Field(i).SetString(anyPath(t, s))
				continue
			}
			anyValue(t, s, v.Field(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			anyValue(t, s, v.Elem())
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 2).Draw(t, "len")
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			anyValue(t, s, v.Index(i))
		}
	case reflect.String:
		v.SetString(rapid.SampledFrom([]string{"", "red", "skip", "substitute", "signal 1"}).Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rapid.IntRange(-1, 3).Draw(t, "int")))
	}
}

// anyPath is mostly the path of a step that the run has.
func anyPath(t *rapid.T, s *State) string {
	paths := []string{"nowhere", ""}
	s.Steps(func(st *Step) { paths = append(paths, st.Path) })
	return paths[rapid.IntRange(0, len(paths)-1).Draw(t, "path")]
}
