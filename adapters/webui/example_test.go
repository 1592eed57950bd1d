package webui_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/adapters/webui"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// The page needs a coordinator, the views and the log. This one asks nobody for a token, so it
// belongs on a loopback address.
func ExampleNew() {
	events := memlog.New()
	coordinator, err := saga.New(saga.Config{Log: events})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "views")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	store, err := sqlite.Open(sqlite.Config{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = store.Close() }()

	page, err := webui.New(webui.Config{Coordinator: coordinator, Views: views.Of(projections.NewReader(store)), Log: events})
	if err != nil {
		log.Fatal(err)
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ui/sagas", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
