package saga_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

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
	Dash  string                `json:"-," atone:"secret"`
	Own   ownWords              `json:"own"`
	Owns  []*ownWords           `json:"owns"`
	By    map[string]*everyKind `json:"by"`
	Open  string                `json:"open"`
}

func effectless[In any](name string) *saga.Action[In, saga.None] {
	return &saga.Action[In, saga.None]{Name: name, Effect: saga.NoEffect, Do: func(context.Context, In) (saga.None, error) { return saga.None{}, nil }}
}

// TestWhatATypeKeepsSecretIsKnownBesideThePlan has members that no tag names: those of an embedded struct, and of types that
// write their own JSON.
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
