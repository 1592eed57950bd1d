package brokertest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheRecipesAreShownAsTheyAreTested compares docs/brokers.md with the code of this package.
func TestTheRecipesAreShownAsTheyAreTested(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "brokers.md"))
	require.NoError(t, err)
	for _, file := range []string{"postgres.go", "rabbitmq.go", "nats.go"} {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		m := regexp.MustCompile(`(?s)// Recipe: \w+ \{\n(.*?)// \} Recipe`).FindSubmatch(source)
		require.NotNil(t, m, file)
		require.Contains(t, string(doc), "```go\n"+strings.TrimSpace(string(m[1]))+"\n```", "docs/brokers.md shows the recipe of %s", file)
	}
}
