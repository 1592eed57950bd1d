package history

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// A snapshot is a cache: one that is not a state of the run is passed over, and the run is folded
// from its events.
func TestASnapshotThatCannotBeRestoredIsPassedOver(t *testing.T) {
	t.Parallel()
	plan, err := domain.ParsePlan([]byte(`{"saga":"s","version":1,"root":{"kind":"sequence","children":[]}}`))
	require.NoError(t, err)
	for root, reason := range map[string]string{`{"width":9000000000000}`: "room for", `{"kids":[null]}`: "panicked"} {
		snapshot := `{"format":2,"start":{"plan":"` + plan.Hash() + `"},"root":` + root + `}`
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err = z.Write([]byte(snapshot))
		require.NoError(t, err)
		require.NoError(t, z.Close())
		data, err := json.Marshal(snapshotPart{Hash: strings.Repeat("0", 64), Last: true, Gzip: packed.Bytes()})
		require.NoError(t, err)
		log, id := memlog.New(), uuid.New()
		_, err = log.Append(t.Context(), domain.SnapshotPrefix+id.String(), domain.NoStream, domain.NewEvent{ID: uuid.New(), Type: snapshotType, Data: data})
		require.NoError(t, err)
		runs := NewRuns(log, func(context.Context, string) (*domain.Plan, error) { return plan, nil }, slog.New(slog.DiscardHandler))
		_, err = runs.loadSnapshot(t.Context(), id)
		require.ErrorContains(t, err, reason)
		_, err = runs.Fold(t.Context(), id)
		require.ErrorIs(t, err, domain.ErrNotFound, "its events are read: there are none")
	}
}
