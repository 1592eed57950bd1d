package webui_test

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

var (
	emptySays = regexp.MustCompile(`<p class="empty-say">([^<]*)</p>`)
	toCopy    = regexp.MustCompile(`<p class="command"><code>([^<]*)</code>`)
	emptyLink = regexp.MustCompile(`<a class="btn(?: primary)?" href="([^"]*)">[^<]*</a></p></div>`)
)

// emptiness returns what an empty page says, the command that it gives, and where its button leads.
func (w *world) emptiness(path string, header ...string) (says, command, button string) {
	w.t.Helper()
	var body string
	w.eventually(func() bool { // until the views are built
		var status int
		status, body, _ = w.get(path, header...)
		return status == http.StatusOK && !strings.Contains(body, "is behind: it fills by itself")
	}, path)
	get := func(re *regexp.Regexp) string {
		m := re.FindStringSubmatch(body)
		if m == nil {
			return ""
		}
		return html.UnescapeString(m[1])
	}
	says, command, button = get(emptySays), get(toCopy), get(emptyLink)
	if button != "" {
		status, _, _ := w.get(button, header...)
		require.Equal(w.t, http.StatusOK, status, "the button on %s leads somewhere", path)
	}
	return says, command, button
}

func called(name string) func(*webui.Config) { return func(c *webui.Config) { c.Program = name } }

// TestEmptyPagesSayHowTheyFill: with the program's own name and sagas, and otherwise where
// something was searched.
func TestEmptyPagesSayHowTheyFill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, called("shop"))
	at := " --server " + w.url
	for path, want := range map[string][3]string{
		"/ui/runs":                                {"No run has been started yet.", "shop start above -d '\"\"'" + at, "/ui/start"},
		"/ui/runs?q=web":                          {"No run matches this search.", "", "/ui/runs"},
		"/ui/runs?q=saga:orrder":                  {"Nothing was searched.", "", "/ui/runs"},
		"/ui/runs?state=paused":                   {"No run is paused.", "", "/ui/runs"},
		"/ui/runs?state=unfinished":               {"Every run has ended.", "", "/ui/runs"},
		"/ui/audit":                               {"Nothing has happened yet.", "shop start above -d '\"\"'" + at, "/ui/start"},
		"/ui/audit?q=web":                         {"Nothing in the audit matches this search.", "", "/ui/audit"},
		"/ui/audit?failed=1":                      {"Nothing has failed.", "", "/ui/audit"},
		"/ui/incidents":                           {"Nothing is stuck. No run needs you.", "shop incidents" + at, "/ui/runs"},
		"/ui/incidents?q=web":                     {"No incident matches this search.", "", "/ui/incidents"},
		"/ui/incidents?state=resolved&saga=order": {"No incident matches this search.", "", "/ui/incidents?state=resolved"},
		"/ui/incidents?state=resolved":            {"Nothing has been resolved yet.", "shop incidents --state resolved" + at, "/ui/incidents"},
		"/ui/incidents?state=snoozed":             {"Nothing is snoozed.", "shop incidents --each --snoozed" + at, "/ui/incidents"},
		"/ui/incidents?state=retrying":            {"Nothing is being retried.", "shop incidents --state retrying" + at, "/ui/incidents"},
		"/ui/incidents?state=all":                 {"There has been no incident yet.", "shop incidents --state all" + at, "/ui/incidents"},
		"/ui/incidents?group=0123456789abcdef":    {"The group has no such incident.", "", "/ui/incidents"},
		"/ui/stats":                               {"There is nothing to count yet.", "shop start above -d '\"\"'" + at, "/ui/start"},
		"/ui/stats?saga=order":                    {"No run of order has been started.", "", "/ui/stats?range=24h"},
		"/ui/events":                              {"There is no domain event yet.", `shop emit order-placed -d '{"order":42}'` + at, "/ui/sagas"},
		"/ui/events?type=order":                   {"No domain event matches this search.", "", "/ui/events"},
	} {
		says, command, button := w.emptiness(path)
		require.Equal(t, want, [3]string{says, command, button}, path)
	}
	w.completed("c-1")
	w.settled()
	says, _, button := w.emptiness("/ui/stats?saga=order&range=1h")
	require.Empty(t, says+button, "there is something to count")
}

// TestARunWithoutDataSaysSo on the tab of its payloads, and one without steps on its timeline.
func TestARunWithoutDataSaysSo(t *testing.T) {
	t.Parallel()
	w := newProgram(t, time.Millisecond, saga.Config{}, func(w *world) {
		idle := saga.Define("idle", 1, func(f *saga.Flow, _ saga.Ref[saga.None]) saga.Ref[saga.None] {
			saga.Sleep(f, time.Hour)
			return saga.Return(f, func(saga.Scope) saga.None { return saga.None{} })
		})
		require.NoError(w.t, w.c.Register(idle))
	}, called("shop"))
	id, err := w.c.StartByName(w.ctx, "idle", 1, nil)
	require.NoError(t, err)
	run := "/ui/runs/" + id.String()
	says, command, button := w.emptiness(run + "?tab=data")
	require.Equal(t, "This run has no payloads.", says)
	require.Equal(t, "shop show "+id.String()+" --server "+w.url, command)
	require.Equal(t, run, button)
	says, command, button = w.emptiness(run + "?find=nothing")
	require.Equal(t, "No step is like that.", says)
	require.Empty(t, command)
	require.Equal(t, run, button)
	says, _, _ = w.emptiness(run)
	require.Empty(t, says)
}

// TestAProgramWithoutSagasSaysWhatItLacks, and one with actions alone what it can do.
func TestAProgramWithoutSagasSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	bare := newProgram(t, time.Millisecond, saga.Config{}, func(*world) {})
	for path, leads := range map[string]string{"/ui/runs": "/ui/sagas", "/ui/audit": "/ui/sagas", "/ui/stats": "/ui/sagas", "/ui/sagas": "/ui/events", "/ui/start": "/ui/runs"} {
		_, command, button := bare.emptiness(path)
		require.Equal(t, "go doc github.com/atonehq/atone/saga.Define", command, path)
		require.Equal(t, leads, button, path)
		_, body, _ := bare.get(path)
		require.Contains(t, body, "program.Main", path)
	}
	single := newProgram(t, time.Millisecond, saga.Config{}, func(w *world) {
		require.NoError(w.t, w.c.RegisterActions(&saga.Action[order, string]{Name: "reserve", Effect: saga.NoEffect,
			Do: func(context.Context, order) (string, error) { return "", nil }}))
	})
	_, command, button := single.emptiness("/ui/sagas")
	require.Contains(t, command, "atone invoke reserve -d ")
	require.Equal(t, "/ui/start", button)
}

// TestWhoMayNotStartIsOfferedWhatTheyMay, and nobody a command that a page can't show as it is.
func TestWhoMayNotStartIsOfferedWhatTheyMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, guarded, called("shop\u202e"))
	says, command, button := w.emptiness("/ui/runs", "Cookie", "session=viewer")
	require.Equal(t, "No run has been started yet.", says)
	require.Empty(t, command)
	require.Equal(t, "/ui/sagas", button)
	w = newWorld(t, guarded)
	_, command, _ = w.emptiness("/ui/runs", "Cookie", "session=recalc")
	require.Contains(t, command, "atone start recalculate -d 0", "of the sagas that one sees")
	_, body, _ := w.get("/ui/runs", "Cookie", "session=recalc")
	require.Contains(t, body, "token from ATONE_TOKEN")
	_, command, _ = w.emptiness("/ui/runs", "Cookie", "session=recalc", "X-Forwarded-Proto", "https")
	require.Contains(t, command, "--server https://")
}

// TestAFirstRunIsStartedFromTheEmptyPage, in a browser, at both widths.
func TestAFirstRunIsStartedFromTheEmptyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, called("shop"))
	b := newBrowser(t, w)
	for _, page := range []string{"runs", "audit", "incidents", "events", "stats", "incidents?state=resolved", "runs?q=nothing"} {
		for _, width := range []int64{390, 1280} {
			for _, theme := range []string{"dark", "light"} {
				b.screen(width, 860, theme)
				b.open("/ui/" + page)
				b.holds(`document.querySelector(".empty-say") !== null && document.documentElement.scrollWidth <= innerWidth`)
				b.shoot("empty-" + url.PathEscape(page) + "-" + map[int64]string{390: "390", 1280: "1280"}[width] + "-" + theme)
			}
		}
	}
	b.open("/ui/runs")
	b.holds(`document.querySelector(".command button").dataset.copy === document.querySelector(".command code").innerText`)
	b.click(".empty a.btn")
	b.arrives("/ui/start")
	b.click(`a.card[href$="/sagas/recalculate/start"]`)
	b.typeInto(`dialog .ask input`, "3")
	b.click("dialog button.primary")
	b.sees("h1", "completed")
	b.open("/ui/runs")
	b.holds(`document.querySelectorAll(".runs tbody tr").length === 1 && document.querySelector(".empty") === null`)
	b.clean()
	require.Equal(t, map[domain.RunState]int{}, w.c.RunStates())
}
