package saga_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/secret"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/projections/verify"
	"github.com/atonehq/atone/saga"
)

type creds struct {
	User string `json:"user"`
	Pass string `json:"pass"`
}

// ownWords writes its secret under a name that no tag tells.
type ownWords struct {
	Card string `atone:"secret"`
}

func (o ownWords) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]string{"nr": o.Card}) }
func (o *ownWords) UnmarshalJSON(raw []byte) error {
	m := map[string]string{}
	err := json.Unmarshal(raw, &m)
	o.Card = m["nr"]
	return err
}

type everyKind struct {
	creds `atone:"secret"`
	//lint:ignore SA5008 a member that is named "-" is what is tried
	Dash string                `json:"-," atone:"secret"`
	Own  ownWords              `json:"own"`
	Owns []*ownWords           `json:"owns"`
	By   map[string]*everyKind `json:"by"`
	Open string                `json:"open"`
}

func effectless[In any](name string) *saga.Action[In, saga.None] {
	return &saga.Action[In, saga.None]{Name: name, Effect: saga.NoEffect, Do: func(context.Context, In) (saga.None, error) { return saga.None{}, nil }}
}

// TestWhatATypeKeepsSecretIsKnownBesideThePlan has members that no tag names: those of an embedded
// struct, and of types that write their own JSON.
func TestWhatATypeKeepsSecretIsKnownBesideThePlan(t *testing.T) {
	t.Parallel()
	look := effectless[everyKind]("look")
	s := saga.Define("every-kind", 1, func(f *saga.Flow, in saga.Ref[everyKind]) saga.Ref[saga.None] { return saga.Do(f, look, in.In) })
	require.NoError(t, s.Err())
	plan, err := s.Plan()
	require.NoError(t, err)
	for _, name := range []string{"user", "pass", "-", "own", "owns"} {
		require.Contains(t, plan.Secrets(), name)
	}
	require.NotContains(t, plan.Secrets(), "open")
	require.NotContains(t, plan.Secrets(), "by")
	require.NotContains(t, plan.Secrets(), "*")

	whole := saga.Define("whole", 1, func(f *saga.Flow, in saga.Ref[ownWords]) saga.Ref[saga.None] {
		return saga.Do(f, effectless[ownWords]("look-own"), in.In)
	})
	plan, err = whole.Plan()
	require.NoError(t, err)
	require.Contains(t, plan.Secrets(), "*", "nobody knows what its JSON calls the secret")
}

// TestASecretThatNoTypeHasIsRefused has a name misspelt, and the types in which any name may be.
func TestASecretThatNoTypeHasIsRefused(t *testing.T) {
	t.Parallel()
	type address struct {
		City string `json:"city"`
	}
	type form struct {
		Card    string  `json:"card"`
		Address address `json:"address"`
	}
	type free struct {
		Form form           `json:"form"`
		More map[string]any `json:"more"`
	}
	define := func(names ...string) error {
		return saga.Define("pays", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[saga.None] {
			return saga.Do(f, effectless[form]("pay"), in.In)
		}, saga.Secret(names...)).Err()
	}
	require.NoError(t, define("card", "CARD", "address.city", "*"))
	require.ErrorContains(t, define("crad"), `Secret("crad"): no type of the saga has a field "crad": did you mean "card"?`)
	require.ErrorContains(t, define("address.ctiy"), `did you mean "city"?`)
	require.ErrorContains(t, define("password"), "they have address, card, city")
	require.NoError(t, saga.Define("frees", 1, func(f *saga.Flow, in saga.Ref[free]) saga.Ref[saga.None] {
		return saga.Do(f, effectless[free]("take"), in.In)
	}, saga.Secret("anything")).Err())
	require.NoError(t, saga.Define("raws", 1, func(f *saga.Flow, in saga.Ref[json.RawMessage]) saga.Ref[saga.None] {
		return saga.Do(f, effectless[json.RawMessage]("raw"), in.In)
	}, saga.Secret("anything")).Err())
}

// TestANewTagHidesWhatOldRunsOfThePlanShowed has a program tag a field of an action that ran
// before. The plan of a single action is the same as ever; whoever reads the log, without any
// program, finds what is secret beside it.
func TestANewTagHidesWhatOldRunsOfThePlanShowed(t *testing.T) {
	t.Parallel()
	type before struct {
		Pin string `json:"pin"`
	}
	type after struct {
		Pin string `json:"pin" atone:"secret"`
	}
	log := memlog.New()
	var first domain.RunID
	run := func(a saga.AnyAction, key string) (id domain.RunID) {
		c, err := saga.New(saga.Config{Log: log})
		require.NoError(t, err)
		require.NoError(t, c.RegisterActions(a))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-c.Ready()
		id, err = c.InvokeByName(t.Context(), a.ActionName(), json.RawMessage(`{"pin":"8841-7"}`), saga.Key(key))
		require.NoError(t, err)
		_, err = c.Wait(t.Context(), id)
		require.NoError(t, err)
		stop()
		require.NoError(t, <-ended)
		return id
	}
	told := func() string {
		story, err := story.Tell(t.Context(), log, first)
		require.NoError(t, err)
		raw, err := json.Marshal(story.Lines)
		require.NoError(t, err)
		return string(raw)
	}
	shown := func() (streams map[string]int) {
		streams = map[string]int{}
		for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{"plan-", "atone-secrets-"}}) {
			require.NoError(t, err)
			streams[e.Stream]++
		}
		return streams
	}
	first = run(effectless[before]("pins"), "1")
	require.Len(t, shown(), 1, "one plan, and nothing beside it")
	require.Contains(t, told(), "8841-7")
	for range 2 { // once is enough
		run(effectless[after]("pins"), "2")
		require.Len(t, shown(), 2, "the same plan, and what is secret in it")
		for stream, n := range shown() {
			require.Equal(t, 1, n, stream)
		}
		require.NotContains(t, told(), "8841-7")
	}
	v, err := verify.All(t.Context(), log)
	require.NoError(t, err)
	require.True(t, v.OK(), v.Findings)
}

// TestAnErrorQuotesNoSecret has a handler, and the code of the saga, quote what is secret by the
// saga's word alone.
func TestAnErrorQuotesNoSecret(t *testing.T) {
	t.Parallel()
	type form struct {
		Card string `json:"card"`
	}
	refuses := &saga.Action[form, saga.None]{Name: "refuses", Effect: saga.NoEffect, Retry: saga.Retry{MaxAttempts: 1},
		Do: func(_ context.Context, f form) (saga.None, error) {
			return saga.None{}, fmt.Errorf("card %s declined", f.Card)
		}}
	byHandler := saga.Define("by-handler", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[saga.None] { return saga.Do(f, refuses, in.In) }, saga.Secret("card"))
	byCode := saga.Define("by-code", 1, func(f *saga.Flow, in saga.Ref[form]) saga.Ref[saga.None] {
		return saga.Do(f, refuses, func(v saga.Scope) form { panic("no " + in.In(v).Card) })
	}, saga.Secret("card"))
	log := memlog.New()
	c, err := saga.New(saga.Config{Log: log})
	require.NoError(t, err)
	require.NoError(t, c.Register(byHandler, byCode))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-c.Ready()
	for _, s := range []*saga.Saga[form, saga.None]{byHandler, byCode} {
		run, err := saga.Start(t.Context(), c, s, form{"4111222233334444"})
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.ErrorContains(t, err, secret.Redacted)
		require.NotContains(t, err.Error(), "4111")
		for e, err := range log.ReadStream(t.Context(), domain.RunStream(run.ID), 1) {
			require.NoError(t, err)
			if e.Type == "attempt.failed.v1" || e.Type == "step.failed.v1" || e.Type == "run.turned_back.v1" {
				require.NotContains(t, string(e.Data), "4111", "it is not even recorded")
			}
		}
	}
	_, err = c.StartByName(t.Context(), "by-handler", 1, json.RawMessage(`{"card":41112222}`))
	require.ErrorIs(t, err, saga.ErrBadInput)
	require.NotContains(t, err.Error(), "41112222")
	stop()
	require.NoError(t, <-ended)
}
