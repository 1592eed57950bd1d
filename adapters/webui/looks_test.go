package webui_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// TestPagesInEveryLight opens every page at both widths and in both themes: nothing complains, nothing is wider
// than the screen. The pictures are for people.
func TestPagesInEveryLight(t *testing.T) {
	pace := time.Millisecond
	if ms, err := strconv.Atoi(os.Getenv("ATONE_SCREENSHOT_PACE_MS")); err == nil { // pictures of realistic runs take longer
		pace = time.Duration(ms) * time.Millisecond
	}
	w := newWorldAt(t, pace)
	for i := range 14 {
		_, err := saga.Start(w.ctx, w.c, w.orders, sample(fmt.Sprintf("web-%d", 1001+i), 80+40*i), saga.Key(fmt.Sprintf("web-%d", 1001+i)), saga.Labels(map[string]string{"tenant": "acme"}))
		require.NoError(t, err)
	}
	waiting := w.waiting("web-2001")
	compensated := w.compensated("web-2002")
	stuck := w.stuck("web-2003")
	w.stuck("web-2004")
	done := w.completed("web-2005")
	tour := w.toured("web-2006")
	_, err := w.c.EmitEvent(w.ctx, "orders-2005", "order.placed", []byte(`{"order":"web-2005","total":120}`), saga.EmitOptions{Correlation: "web-2005"})
	require.NoError(t, err)
	w.settled()
	b := newBrowser(t, w)
	of := func(id domain.RunID) string { return "/ui/runs/" + id.String() }
	for _, page := range []struct{ name, path string }{
		{"runs", "/ui/runs"}, {"run-waiting", of(waiting)}, {"run-stuck", of(stuck)}, {"run-completed", of(done)}, {"run-compensated", of(compensated)},
		{"plan", of(stuck) + "?tab=plan"}, {"tour", of(tour)}, {"tour-plan", of(tour) + "?tab=plan"}, {"tour-undo", of(tour) + "?tab=undo"}, {"audit", of(compensated) + "?tab=audit"}, {"data", of(done) + "?tab=data"}, {"undo", of(waiting) + "?tab=undo"},
		{"past", of(stuck) + "?at=12"}, {"trail", "/ui/audit"}, {"trail-empty", "/ui/audit?q=nothing"}, {"lever", of(waiting) + "/lever/cancel"}, {"incidents", "/ui/incidents"}, {"definitions", "/ui/sagas"}, {"definition", "/ui/sagas/order"},
		{"stats", "/ui/stats?range=1h"}, {"events", "/ui/events"}, {"login", "/ui/login"}, {"missing", "/ui/nothing"},
	} {
		for _, width := range []int64{1280, 390} {
			for _, theme := range []string{"light", "dark"} {
				b.screen(width, 860, theme)
				b.open(page.path)
				b.holds(`document.documentElement.scrollWidth <= innerWidth`)
				b.shoot(fmt.Sprintf("%s-%d-%s", page.name, width, theme))
			}
		}
	}
	b.clean("the server responded with a status of 404") // the missing page
}
