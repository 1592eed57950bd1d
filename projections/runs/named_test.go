package runs_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/runs"
)

func TestRunsAreNamedByIdKeyOrTheEndOfTheId(t *testing.T) {
	t.Parallel()
	rows := []runs.Row{
		{ID: uuid.MustParse("0198c0de-0000-7000-8000-0000009b1c2f"), Saga: "order", Key: "4711"},
		{ID: uuid.MustParse("0198c0de-0000-7000-8000-1111119b1c2f"), Saga: "order"},
		{ID: uuid.MustParse("0198c0de-0000-7000-8000-000000abcdef"), Saga: "other"},
	}
	asked := 0
	find := func(_ context.Context, f runs.Filter) (p runs.Page, err error) {
		asked++
		for _, r := range rows {
			digits := strings.ReplaceAll(r.ID.String(), "-", "")
			if strings.HasSuffix(digits, f.Matches[0].Value) && (len(f.Sagas) == 0 || f.Sagas[0] == r.Saga) {
				p.Rows = append(p.Rows, r)
			}
		}
		return p, nil
	}
	named := func(name string, sagas ...string) (domain.RunID, error) {
		return runs.Named(t.Context(), name, sagas, find)
	}
	for name, want := range map[string]domain.RunID{
		rows[0].ID.String(): rows[0].ID, "order:4711": domain.RunIDForKey("order", "4711"), "order:a:b": domain.RunIDForKey("order", "a:b"),
	} {
		id, err := named(name)
		require.NoError(t, err, name)
		require.Equal(t, want, id, name)
	}
	require.Zero(t, asked, "these need no view")
	id, err := named("abcdef")
	require.NoError(t, err)
	require.Equal(t, rows[2].ID, id)
	_, err = named("abcdef", "order")
	require.ErrorIs(t, err, domain.ErrNotFound, "one may not learn of the others")
	_, err = named("9b1c2f")
	require.ErrorIs(t, err, runs.ErrAmbiguous)
	require.ErrorContains(t, err, rows[0].ID.String()+" (order 4711), "+rows[1].ID.String()+" (order)")
	id, err = named("1111119b1c2f")
	require.NoError(t, err)
	require.Equal(t, rows[1].ID, id)
	for _, bad := range []string{"", "9b1c2", "hello!", ":", "order:", ":key", strings.Repeat("a", 5000), "9b1c2f\u202e"} {
		_, err := named(bad)
		require.ErrorIs(t, err, runs.ErrNoName, "%.20q", bad)
	}
}
