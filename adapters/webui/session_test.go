package webui_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestLinkFromElsewhereKeepsTheSession follows a link to a run from a page of another site, such as
// a chat. A browser sends no strict cookie along with that; somebody who is logged in must not be
// asked for the token again.
func TestLinkFromElsewhereKeepsTheSession(t *testing.T) {
	w := newWorld(t, guarded)
	id := w.waiting("web-1")
	path := "/ui/runs/" + id.String() + "?tab=audit"
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(rw, `<!doctype html><link rel="icon" href="data:,"><main><a href="%s%s">a run is stuck</a></main>`, w.url, path)
	}))
	t.Cleanup(elsewhere.Close)
	chat := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	b := newBrowser(t, w)
	b.do(chromedp.Navigate(chat))
	b.click("a")
	b.sees("h1", "Log in")
	b.typeInto("#token", "ops"+kb.Enter)
	b.arrives(path)
	b.do(chromedp.Navigate(chat))
	b.click("a")
	b.arrives(path)
	b.sees(".who", "ada")
	b.clean()
}
