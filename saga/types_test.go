package saga_test

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/saga"
)

// crate is one type, as two builds of a program have it.
type (
	crate struct {
		City string `json:"city" doc:"Where it goes."`
		Code string `json:"code"`
	}
	stamp struct {
		Office string `json:"office" enum:"Bern,Ulm"`
	}
	taggedCrate struct {
		City string `json:"city" doc:"Where it goes." atone:"search" enum:"Bern,Ulm"`
		Code string `json:"code" atone:"secret"`
	}
)

// sends is a saga of one step over a type.
func sends[In any](about string) *saga.Saga[In, string] {
	post := &saga.Action[In, string]{Name: "post", Effect: saga.NoEffect, Do: func(context.Context, In) (string, error) { return "posted", nil }}
	return saga.Define("sends", 1, func(f *saga.Flow, in saga.Ref[In]) saga.Ref[string] {
		saga.Await[stamp](f, "stamped", saga.Within(time.Nanosecond), saga.DefaultTo(stamp{}))
		return saga.Do(f, post, in.In)
	}, saga.Description(about))
}

func typesOf(t *testing.T, log domain.Log, hash string) (all []domain.PlanTypes) {
	t.Helper()
	for e, err := range log.ReadStream(t.Context(), domain.PlanTypesStream(hash), 0) {
		require.NoError(t, err)
		require.Equal(t, domain.PlanTyped, e.Type)
		var types domain.PlanTypes
		require.NoError(t, json.Unmarshal(e.Data, &types))
		all = append(all, types)
	}
	return all
}

// TestDescriptionsAndTagsChangeWithoutANewVersion: a build that says more of its types goes on
// with the plan that the log lists; what it says stands beside the plan, with the history of that.
func TestDescriptionsAndTagsChangeWithoutANewVersion(t *testing.T) {
	t.Parallel()
	log := memlog.New()
	plain, tagged := sends[crate]("Sends."), sends[taggedCrate]("Sends parcels.")
	plan := ""
	for i, deploy := range []struct {
		s   saga.AnySaga
		run func(c *saga.Coordinator) (*saga.Run[string], error)
	}{
		{plain, func(c *saga.Coordinator) (*saga.Run[string], error) {
			return saga.Start(t.Context(), c, plain, crate{City: "Bern"})
		}},
		{tagged, func(c *saga.Coordinator) (*saga.Run[string], error) {
			return saga.Start(t.Context(), c, tagged, taggedCrate{City: "Bern", Code: "s3cret-code"})
		}},
		{plain, func(c *saga.Coordinator) (*saga.Run[string], error) {
			return saga.Start(t.Context(), c, plain, crate{City: "Ulm"})
		}},
		{plain, func(c *saga.Coordinator) (*saga.Run[string], error) {
			return saga.Start(t.Context(), c, plain, crate{City: "Ulm"})
		}},
	} {
		ctx, stop := context.WithCancel(t.Context())
		c, ended := launch(t, ctx, log, saga.Config{}, deploy.s)
		run, err := deploy.run(c)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		its, _ := attemptsOf(t, log, run.ID)
		if i == 0 {
			plan = its
		}
		require.Equal(t, plan, its, "every deploy starts runs of one plan")
		info, err := c.Saga("sends", 1)
		require.NoError(t, err)
		require.NotContains(t, info.Description, map[bool]string{true: "parcels", false: "Sends."}[deploy.s == saga.AnySaga(plain)])
		require.Contains(t, string(info.InputSchema), `"Where it goes."`)
		require.Contains(t, string(info.Signals["stamped"]), `"enum":["Bern","Ulm"]`)
		fields, err := projections.ReadPlanFields(t.Context(), log, plan)
		require.NoError(t, err)
		require.Equal(t, i > 0, slices.Contains(fields.Secret, "code"), "what was secret once stays so")
		require.Equal(t, i == 1, slices.Contains(fields.Searchable, "city"), "what is searched is as the latest build says")
		stop()
		require.NoError(t, <-ended)
	}
	told := typesOf(t, log, plan)
	require.Len(t, told, 3, "an event for each change, and none for the deploy without one")
	require.Equal(t, []string{"Sends.", "Sends parcels.", "Sends."}, []string{told[0].Description, told[1].Description, told[2].Description})
	require.Equal(t, []string{"city"}, told[1].Searchable)
	require.Contains(t, told[1].Secret, "code")
}
