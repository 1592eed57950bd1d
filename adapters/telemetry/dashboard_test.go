package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

var describes = regexp.MustCompile(`fqName: "(atone_[^"]+)".*variableLabels: \{([^}]*)\}`)

// metrics returns the labels of every metric that there is.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	m := NewMetrics()
	known := map[string][]string{}
	for _, c := range []prometheus.Collector{runsCollector{}, logCollector{}, viewsCollector{}, statsCollector{}, m.attempts, m.duration, m.running, m.requests, m.answers} {
		ch := make(chan *prometheus.Desc, 100)
		c.Describe(ch)
		close(ch)
		for d := range ch {
			found := describes.FindStringSubmatch(d.String())
			require.NotNil(t, found, d.String())
			known[found[1]] = strings.FieldsFunc(found[2], func(r rune) bool { return r == ',' })
		}
	}
	require.Greater(t, len(known), 30)
	return known
}

// panel is a panel of a dashboard, or a row of them.
type panel struct {
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
	Panels  []panel
}

// panels returns the dashboard's panels, those within rows too.
func panels(t *testing.T) (out []panel) {
	t.Helper()
	raw, err := os.ReadFile("../../docs/grafana-dashboard.json")
	require.NoError(t, err)
	var board panel
	require.NoError(t, json.Unmarshal(raw, &board))
	var visit func([]panel)
	visit = func(list []panel) {
		for _, p := range list {
			out = append(out, p)
			visit(p.Panels)
		}
	}
	visit(board.Panels)
	return out
}

var (
	named    = regexp.MustCompile(`\batone_[a-z_]+`)
	selected = regexp.MustCompile(`\b(atone_[a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)`)
	grouped  = regexp.MustCompile(`by \(([^)]*)\)`)
	legend   = regexp.MustCompile(`\{\{([a-z_]+)\}\}`)
)

// A panel that asks for a metric or a label that there is not stays empty, and looks as if all were
// well.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	shown := map[string]bool{}
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			found := selected.FindAllStringSubmatch(q.Expr, -1)
			require.Len(t, found, len(named.FindAllString(q.Expr, -1)), "%s: every metric is narrowed to the job: %s", p.Title, q.Expr)
			require.NotEmpty(t, found, "%s: %s", p.Title, q.Expr)
			labels := []string{"job", "instance"}
			for _, f := range found {
				name := f[1]
				if _, ok := known[name]; !ok {
					name = strings.TrimSuffix(name, "_bucket")
					labels = append(labels, "le")
				}
				require.Contains(t, known, name, p.Title)
				shown[name] = true
				labels = append(labels, known[name]...)
				for _, m := range matcher.FindAllStringSubmatch(f[2], -1) {
					require.Contains(t, labels, m[1], "%s: %s", p.Title, q.Expr)
				}
			}
			if by := grouped.FindStringSubmatch(q.Expr); by != nil {
				kept := strings.Split(by[1], ", ")
				require.Subset(t, labels, kept, "%s: %s", p.Title, q.Expr)
				labels = kept
			}
			for _, l := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				require.Contains(t, labels, l[1], "%s: the legend %s", p.Title, q.LegendFormat)
			}
		}
	}
	for name := range known {
		require.True(t, shown[name], "the dashboard does not show %s", name)
	}
}

func TestPanelsOfTheDashboardDoNotOverlap(t *testing.T) {
	t.Parallel()
	all := panels(t)
	for i, a := range all {
		require.LessOrEqual(t, a.GridPos.X+a.GridPos.W, 24, a.Title)
		for _, b := range all[i+1:] {
			x, y := a.GridPos, b.GridPos
			apart := x.X+x.W <= y.X || y.X+y.W <= x.X || x.Y+x.H <= y.Y || y.Y+y.H <= x.Y
			require.True(t, apart, "%q overlaps %q", a.Title, b.Title)
		}
	}
}

func TestTheDocsTellOfEveryMetric(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	known := metrics(t)
	told := named.FindAllString(string(raw), -1)
	for _, name := range told {
		require.Contains(t, known, name, "docs/metrics.md tells of a metric that there is not")
	}
	for name := range known {
		require.True(t, slices.Contains(told, name), "docs/metrics.md does not tell of %s", name)
	}
}
