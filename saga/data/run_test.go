package data_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/data"
	"github.com/atonehq/atone/saga/internal/bridge"
	"github.com/atonehq/atone/saga/internal/definition"
	"github.com/atonehq/atone/saga/rejected"
)

func memlogOf() domain.Log { return memlog.New() }

func startRaw(t *testing.T, c *saga.Coordinator, s *data.Saga, input string) (*saga.Run[json.RawMessage], error) {
	t.Helper()
	return saga.Start(t.Context(), c, s, json.RawMessage(input))
}

func parse(t *testing.T, w *town, steps string) *data.Saga {
	t.Helper()
	set, err := data.Parse(data.Uses{Actions: w.actions()}, data.File{Name: "a.yaml", Text: []byte(head + "  " + strings.ReplaceAll(steps, "\n", "\n  ") + "\n")})
	require.NoError(t, err)
	return set.Sagas[0]
}

// TestAFailingExpressionNamesFileLineAndValue: it is the step's failure for good, and secrets are
// not told.
func TestAFailingExpressionNamesFileLineAndValue(t *testing.T) {
	t.Parallel()
	for steps, says := range map[string]string{
		"- compute: ${ 10 / input.n }\n  name: c":                                   "a.yaml:5:17: ${ 10 / input.n }: division by zero (input.n = 0)",
		"- if: ${ 10 / input.n > 1 }\n  then: [{compute: 1, name: c}]":              "a.yaml:5:12: ${ 10 / input.n > 1 }: division by zero (input.n = 0)",
		"- each: ${ [10 / input.n] }\n  steps: [{compute: 1, name: c}]":             "division by zero (input.n = 0)",
		"- switch: ${ input.open }\n  cases: {a: [{compute: 1, name: c}]}":          "it gives no text",
		"- reject: ${ string(10 / input.n) }":                                       "division by zero",
		"- sleep: ${ input.id }":                                                    "neither a duration",
		"- action: reserve-stock\n  input: {sku: a, quantity: \"${ input.open }\"}": "a.yaml:6:12: ",
		"- compute: \"${ has(input.card) ? int(input.card) : 0 }\"\n  name: c":      "(input.card = (secret))",
		"- compute: ${ input.open.a.b }\n  name: c":                                 "no such key",
		"- compute: ${ 9223372036854775807 + input.n + 1 }\n  name: c":              "integer overflow",
		"- compute: ${ [1,2,3,4,5,6,7,8,9,10].map(a, [1,2,3,4,5,6,7,8,9,10].map(b, [1,2,3,4,5,6,7,8,9,10].map(c, [1,2,3,4,5,6,7,8,9,10].map(d, [1,2,3,4,5,6,7,8,9,10].map(e, [1,2,3,4,5,6,7,8,9,10].map(f, [1,2,3,4,5,6,7,8,9,10].map(g, a+b+c+d+e+f+g+input.n))))))).size() }\n  name: c": "compute less in one expression",
		"- compute: ${ ['aaaaaaaa'].map(x, x.replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa').replace('a', 'aaaaaaaa')) }\n  name: c":                                                 "the text would have more than 1048576 bytes",
	} {
		w := &town{}
		s := parse(t, w, steps)
		c := running(t, w, memlogOf(), s)
		run, err := startRaw(t, c, s, `{"id":"a","n":0,"x":1,"open":{"q":1},"card":"4111-2222-3333-4444"}`)
		require.NoError(t, err, steps)
		_, err = run.Wait(t.Context())
		var undone *saga.CompensatedError
		require.ErrorAs(t, err, &undone, steps)
		require.Contains(t, undone.Cause.Message, says, steps)
		require.Contains(t, undone.Cause.Message, "a.yaml:", steps)
		require.Equal(t, domain.FailurePermanent, undone.Cause.Kind, steps)
		require.NotContains(t, undone.Cause.Message, "4111-2222")
		require.NotContains(t, undone.Cause.Message, "panicked", steps)
	}
}

// TestNumbersAreExact: an integer has 64 bits, a number is a double, and what is passed on whole
// comes byte by byte.
func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	w := &town{}
	s := parse(t, w, "- compute: {whole: \"${ input }\", n: \"${ input.n - 1 }\", x: \"${ input.x }\", text: \"${ input.n } of ${ input.x }\", open: \"${ input.open }\"}\n  name: c")
	c := running(t, w, memlogOf(), s)
	run, err := startRaw(t, c, s, `{"id":"a","n":9007199254740993,"x":3,"open":[9007199254740993,1.5]}`)
	require.NoError(t, err)
	_, err = run.Wait(t.Context())
	require.NoError(t, err)
	seen, err := c.Describe(t.Context(), run.ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"whole":{"id":"a","n":9007199254740993,"x":3,"open":[9007199254740993,1.5]},"n":9007199254740992,"x":3,"text":"9007199254740993 of 3","open":[9007199254740993,1.5]}`, string(seen.Steps[0].Output))
}

// TestAChangedExpressionIsAnotherPlan: the same version with another expression is refused, with
// the difference; other words for people are not.
func TestAChangedExpressionIsAnotherPlan(t *testing.T) {
	t.Parallel()
	w, log := &town{}, memlogOf()
	first := parse(t, w, "- compute: ${ input.n + 1 }\n  name: c")
	plan, err := first.Plan()
	require.NoError(t, err)
	require.Equal(t, "atone/1", plan.Language)
	run := func(s *data.Saga) error {
		c, err := saga.New(saga.Config{Log: log})
		require.NoError(t, err)
		require.NoError(t, c.Register(s))
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		select {
		case <-c.Ready():
			stop()
			return <-ended
		case err := <-ended:
			stop()
			return err
		}
	}
	require.NoError(t, run(first))
	require.NoError(t, run(parse(t, w, "- name: c\n  compute: >-\n    ${ input.n + 1 }")), "how it is written down says nothing")
	err = run(parse(t, w, "- compute: ${ input.n + 2 }\n  name: c"))
	require.ErrorIs(t, err, saga.ErrPlanChanged)
	require.ErrorContains(t, err, "input.n + 1")
	require.ErrorContains(t, err, "input.n + 2")
}

// TestALevelThatIsNotKnownBlocksTheRun: the run waits, and says what it waits for.
func TestALevelThatIsNotKnownBlocksTheRun(t *testing.T) {
	t.Parallel()
	log := memlogOf()
	newer := func(level string) *data.Saga {
		raw := reflect.TypeFor[json.RawMessage]()
		anything := definition.PayloadOf[json.RawMessage]()
		d, err := definition.Define("s", 1, definition.Types{In: raw, Out: raw, NoOutput: true, Input: anything, Output: anything}, func(f *definition.Flow, _ *definition.Source) *definition.Source {
			f.Await("go", raw, anything, nil)
			f.Compute("c", raw, definition.Code{Try: func(definition.Scope) {}, Expression: definition.Expression{
				Value: func(definition.Scope) (json.RawMessage, error) { return json.RawMessage("1"), nil }}}, nil)
			return nil
		}, func(b *definition.Builder) { b.SetLanguage(level, nil) })
		require.NoError(t, err)
		return bridge.Saga("s", 1, d).(*data.Saga)
	}
	start := func() domain.RunID {
		c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		s := newer("atone/2")
		require.NoError(t, c.Register(s))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-c.Ready()
		run, err := saga.Start(t.Context(), c, s, json.RawMessage("{}"))
		require.NoError(t, err)
		stop()
		require.NoError(t, <-ended)
		return run.ID
	}
	id := start()
	c := running(t, &town{}, log)
	require.NoError(t, c.Signal(t.Context(), id, "go", 1))
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		why, err := c.Describe(context.Background(), id)
		assert.NoError(t, err)
		assert.False(t, why.State.Ended())
		assert.Contains(t, why.Blocked, `its plan is written in "atone/2", and this program reads atone/1`)
	}, time.Minute, 10*time.Millisecond)
}

// TestEventsStartTheSagasOfFiles: once a key, and what fits nothing waits in the list of rejected
// events.
func TestEventsStartTheSagasOfFiles(t *testing.T) {
	t.Parallel()
	text := `saga: order
version: 1
input: {type: object, required: [id], properties: {id: {type: string}}}
triggers:
  - event: order.placed
    stream: orders-
    payload: {type: object, required: [id, total], properties: {id: {type: string}, total: {type: integer}, per: {type: integer}}}
    when: ${ event.data.total > 0 }
    key: ${ event.data.id }
    input: {id: "${ event.data.id }"}
    labels: {total: "${ string(event.data.total / event.data.?per.orValue(1)) }", by: "${ event.?correlation.orValue('nobody') }"}
steps:
  - compute: ${ input.id }
    name: out
return: ${ steps.out }
`
	set, err := data.Parse(data.Uses{}, data.File{Name: "order.yaml", Text: []byte(text)})
	require.NoError(t, err)
	require.Len(t, set.Triggers, 1)
	c, err := saga.New(saga.Config{Log: memlogOf(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	require.NoError(t, c.RegisterTriggers(set.Triggers...))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-ended) })
	<-c.Ready()
	for _, e := range []struct{ stream, data, correlation string }{
		{"orders-1", `{"id":"a","total":7,"more":true}`, "kim"}, {"orders-1", `{"id":"a","total":8}`, ""}, {"orders-1", `{"id":"z","total":0}`, ""},
		{"carts-1", `{"id":"y","total":7}`, ""}, {"orders-2", `{"id":"x"}`, ""}, {"orders-2", `{"id":"w","total":7,"per":0}`, ""}, {"orders-2", `{"id":"b","total":9,"per":3}`, ""},
	} {
		_, err := c.EmitEvent(t.Context(), e.stream, "order.placed", json.RawMessage(e.data), saga.EmitOptions{Correlation: e.correlation})
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		_, err = c.Describe(t.Context(), domain.RunIDForKey("order", "b"))
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	b, err := c.Describe(t.Context(), domain.RunIDForKey("order", "b"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"total": "3", "by": "nobody"}, b.Labels)
	a, err := c.Describe(t.Context(), domain.RunIDForKey("order", "a"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"total": "7", "by": "kim"}, a.Labels, "the first event of a key starts a run")
	for _, none := range []string{"x", "y", "z", "w"} {
		_, err := c.Describe(t.Context(), domain.RunIDForKey("order", none))
		require.ErrorIs(t, err, saga.ErrNotFound, none)
	}
	page, err := c.Rejected().List(t.Context(), rejected.Filter{State: rejected.Open, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Rows, 2)
	told, err := json.Marshal(page.Rows)
	require.NoError(t, err)
	require.Contains(t, string(told), "order.yaml:5:5: the event's payload: ")
	require.Contains(t, string(told), "division by zero")
}
