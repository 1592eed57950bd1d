package projections_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/runs"
)

func TestWordsAreBounded(t *testing.T) {
	t.Parallel()
	require.Equal(t, "card gone a1", projections.Words("Card_gone: card", "a1"))
	require.LessOrEqual(t, len(projections.Words(strings.Repeat("ü", 500))), 128)
	var many []string
	for i := range 20_000 {
		many = append(many, time.Duration(i).String())
	}
	require.LessOrEqual(t, len(projections.Words(many...)), 8192)
}

func TestAConfigurationSaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := runner.New(runner.Config{Batch: -1, Views: []projections.View{
		{Name: "Bad Name", Tables: []projections.Table{{Name: "t", Key: []string{"nope"}, Words: "w", Indexes: [][]string{{}}}}}, runs.View(), runs.View(),
	}})
	for _, part := range []string{"Source is missing", "Store is missing", "must not be negative", "Bad Name", "Version is 0", "New is missing", `Key names "nope"`, "index without columns", "two views"} {
		require.ErrorContains(t, err, part)
	}
}
