package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// The dashboard shows no metric that does not exist.
func TestTheDashboardShowsMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/grafana-dashboard.json")
	require.NoError(t, err)
	require.True(t, json.Valid(raw))
	known := map[string]bool{}
	m := NewMetrics()
	for _, c := range []prometheus.Collector{runsCollector{}, logCollector{}, viewsCollector{}, statsCollector{}, m.attempts, m.duration, m.running, m.requests, m.answers} {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			known[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
		}
	}
	names := regexp.MustCompile(`\batone_[a-z_]+`).FindAllString(string(raw), -1)
	require.NotEmpty(t, names)
	for _, n := range names {
		require.True(t, known[n] || known[strings.TrimSuffix(n, "_bucket")], "the dashboard shows %s, which is no metric", n)
	}
}
