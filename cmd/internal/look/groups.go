package look

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
)

// listGroups lists incidents by their groups.
func listGroups(ctx context.Context, env *access.Env, c *client.Client, p *console.Paging, f incidents.GroupFilter, snoozed bool) error {
	return console.Pages(p, groupListing(env), func(cursor string, limit int) (wire.Page[wire.IncidentGroup], error) {
		f.Cursor, f.Limit = cursor, limit
		return c.IncidentGroups(ctx, f, snoozed)
	})
}

// groupListing says how groups are listed.
func groupListing(env *access.Env) *console.Listing[wire.IncidentGroup] {
	type group = wire.IncidentGroup
	return &console.Listing[group]{Console: env.Console, None: "no incident is open", Columns: []console.Column[group]{
		{Name: "OPEN", Text: groupCount, Value: func(g group) string { return strconv.Itoa(g.Open) }},
		{Name: "GROUP", Rank: 1, Text: func(g group) string { return g.ID }},
		{Name: "SAGA", Rank: 2, Text: func(g group) string { return g.Saga }},
		{Name: "STEP", Long: true, Text: func(g group) string { return stepText(g.Direction, g.Step) }, Value: func(g group) string { return g.Step }},
		{Name: "DIRECTION", CSVOnly: true, Text: func(g group) string { return string(g.Direction) }},
		{Name: "RETRYING", CSVOnly: true, Text: func(g group) string { return strconv.Itoa(g.Retrying) }},
		{Name: "ARRIVED", Wide: true, Text: func(g group) string { return strconv.Itoa(g.Arrived) }},
		{Name: "FIRST", Rank: 5, Time: func(g group) time.Time { return g.First }},
		{Name: "LAST", Rank: 3, Time: func(g group) time.Time { return g.Last }},
		{Name: "LAST 24H", Rank: 6, Text: func(g group) string { return spark(g.Spark) }, Value: func(g group) string { return intsText(g.Spark) }},
		{Name: "WHO", Rank: 4, Text: groupWho},
		{Name: "CAUSE", Long: true, Text: func(g group) string { return g.Cause }},
		{Name: "EXAMPLE", CSVOnly: true, Text: func(g group) string { return g.Example }},
		{Name: "NOTE", Wide: true, Long: true, Text: func(g group) string {
			if g.Note == nil {
				return ""
			}
			return g.Note.By + ": " + g.Note.Text
		}},
	}}
}

// stepText names a step and its direction.
func stepText(dir domain.Direction, step string) string {
	if dir == domain.Undo {
		return "undo of " + step
	}
	return step
}

func groupCount(g wire.IncidentGroup) string {
	s := strconv.Itoa(g.Open)
	if g.Retrying > 0 {
		s += "+" + strconv.Itoa(g.Retrying) + " retrying"
	}
	return s
}

// groupWho says who the group is assigned to, and until when it is snoozed.
func groupWho(g wire.IncidentGroup) string {
	var who []string
	for name := range g.Assignees {
		who = append(who, name)
	}
	slices.Sort(who)
	if g.Snooze != nil {
		who = append(who, "snoozed until "+g.Snooze.Until.Local().Format("Jan 2 15:04"))
	}
	return strings.Join(who, ", ")
}

// spark draws numbers as bars, two of them in each.
func spark(counts []int) string {
	const bars = "▁▂▃▄▅▆▇█"
	var sums []int
	for i := 0; i+1 < len(counts); i += 2 {
		sums = append(sums, counts[i]+counts[i+1])
	}
	top := 0
	for _, n := range sums {
		top = max(top, n)
	}
	var b strings.Builder
	for _, n := range sums {
		if n == 0 {
			b.WriteByte('.')
			continue
		}
		b.WriteRune([]rune(bars)[min(7, n*7/max(top, 1))])
	}
	return b.String()
}

func intsText(counts []int) string {
	texts := make([]string, len(counts))
	for i, n := range counts {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, " ")
}
