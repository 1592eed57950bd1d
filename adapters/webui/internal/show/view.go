package show

import (
	"html/template"
	"net/url"
	"strconv"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/acts"
)

// View is the data of every template.
type View struct {
	Base, Assets, Version string
	Person                Reader
	Nav, Title            string
	// Self is the address of the page with its query.
	Self string
	Now  time.Time
	// Refresh is how often the page reloads its data, in milliseconds; 0 means never.
	Refresh int64
	// Stuck counts the runs that are stuck, for the badge; 0 for people who may not see all.
	Stuck int
	// Below counts the runs that have a stuck one below them; 0 where that is not known.
	Below int
	// Rejected counts the events that could not start their runs, as far as the person sees them.
	Rejected int
	// Behind says that the lists lack the newest events; empty if they don't.
	Behind string
	// Note says what a submitted form did.
	Note string
	// Acts are what the person did and has not dismissed.
	Acts []acts.Told
	// D is the page's own data.
	D any
	// Name is the page's template; Content is what it made.
	Name    string
	Content template.HTML
}

// Reader is what templates need to know about the person who reads the page.
type Reader struct {
	// Name is the person's name in the audit; empty if nobody has logged in.
	Name string
	// Operate means that the person may pull levers, Start that they may start runs, Hold that they
	// may hold actions. Open means that nobody has to log in here.
	Operate, Start, Hold, Open bool
}

// With returns the view with other data, for templates within templates.
func (v *View) With(d any) *View {
	c := *v
	c.D = d
	return &c
}

// Badge is what the badge says: 3, or 3+2 where two runs have a stuck one below them.
func (v *View) Badge() string {
	text := strconv.Itoa(v.Stuck)
	if v.Below > 0 {
		text += "+" + strconv.Itoa(v.Below)
	}
	return text
}

// Link returns an address below the base with query parameters, given as name and value in turn;
// empty values are left out.
func (v *View) Link(path string, params ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		if params[i+1] != "" {
			q.Set(params[i], params[i+1])
		}
	}
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	return v.Base + path
}
