package webui_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheOutlookIsBesideTheUndoPreview looks at what can still become of a stuck run, of one that
// waits, and of one that has ended.
func TestTheOutlookIsBesideTheUndoPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stuck, waiting, done := w.stuck("outlook-1"), w.waiting("outlook-2"), w.completed("outlook-3")
	w.settled()
	b := newBrowser(t, w)
	of := func(id fmt.Stringer, more string) string { return "/ui/runs/" + id.String() + "?tab=outlook" + more }
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			b.screen(width, 860, theme)
			for name, id := range map[string]fmt.Stringer{"stuck": stuck, "waiting": waiting} {
				b.open(of(id, ""))
				b.sees(".tabs [aria-current]", "Outlook")
				b.sees(".outlook h2", "do nothing")
				b.holds(`document.documentElement.scrollWidth <= innerWidth`)
				require.Empty(t, b.serious(), name)
				b.shoot(fmt.Sprintf("outlook-%s-%d-%s", name, width, theme))
			}
		}
	}
	_, body, _ := w.get(of(stuck, ""))
	require.Regexp(t, `<h2>retry [^<]+</h2>`, body)
	require.Regexp(t, `mv-leave"><span>[^<]*→</span> <b>abandoned, with the effects? of `, body)
	_, body, _ = w.get(of(waiting, ""))
	require.Contains(t, body, "arrives →</span> <b>completed</b>")
	status, body, _ := w.get(of(done, ""))
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "The run is completed: nothing can become of it any more.")
	_, body, _ = w.get(of(stuck, "&at=3"))
	require.Contains(t, body, "An outlook is of the run as it is now.")
	b.clean()
}
