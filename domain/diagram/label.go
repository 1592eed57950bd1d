package diagram

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/domain"
)

// label says what a node does, in one or two lines.
func label(n *domain.Node) string {
	lines := []string{n.Name}
	more := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if a := n.Action; a != nil {
		switch {
		case a.Effect == domain.EffectUndo:
			lines[0] += " ↩"
		case a.Effect == domain.EffectIrreversible && n.Accepted != "":
			lines[0] += " ⚠ " + n.Accepted
		case a.Effect == domain.EffectIrreversible:
			lines[0] += " ⚠"
		}
		if a.Name != n.Name {
			more("%s", a.Name)
		}
	}
	switch n.Kind {
	case domain.KindEach:
		if n.Concurrency > 0 {
			more("each item, %d at once", n.Concurrency)
		} else {
			more("each item, all at once")
		}
		if n.Tolerate > 0 {
			more("%d may fail", n.Tolerate)
		}
	case domain.KindParallel:
		if n.Concurrency > 0 {
			more("%d at once", n.Concurrency)
		}
	case domain.KindAwait:
		what := "signal " + n.Await.Signal
		if n.Await.Event != "" {
			what = "event " + n.Await.Event
		}
		if n.Await.Timeout > 0 {
			what += " within " + time.Duration(n.Await.Timeout).String()
		}
		more("%s", what)
	case domain.KindChild:
		more("saga %s v%d", n.Saga, n.Version)
	case domain.KindPlan:
		more("planned at run time, %d rounds at most", n.MaxRounds)
	}
	if n.Rule != "" && n.Rule != domain.RuleBackward {
		more("on failure: %s", n.Rule)
	}
	return strings.Join(lines, "\n")
}

var entities = strings.NewReplacer("#", "#35;", `"`, "#34;", "<", "#60;", ">", "#62;", "\r", "", "\n", "<br/>")

// quoted writes text so that Mermaid shows it as it is.
func quoted(s string) string { return `"` + entities.Replace(s) + `"` }
