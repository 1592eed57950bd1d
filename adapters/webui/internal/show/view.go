package show

import (
	"html/template"
	"net/url"
	"time"
)

// View is what every template is given.
type View struct {
	Base, Assets, Version string
	Person                Reader
	Nav, Title            string
	// Self is the address of the page with its query.
	Self string
	Now  time.Time
	// Refresh is how often the page asks for news, in milliseconds; 0 is never.
	Refresh int64
	// Stuck counts the runs that are stuck, for the badge; 0 for people who may not see all.
	Stuck int
	// Behind says that the lists lack what is newest.
	Behind string
	// Note tells what came of a form.
	Note string
	// D is the page's own data.
	D any
	// Name is the page's template; Content is what it made.
	Name    string
	Content template.HTML
}

// Reader is what templates ask of the person who reads the page.
type Reader struct {
	// Name is the person's in the audit; empty where nobody has logged in.
	Name string
	// Operate means that the person may pull levers. Open means that nobody has to log in here.
	Operate, Open bool
}

// With returns the view with other data, for templates within templates.
func (v *View) With(d any) *View {
	c := *v
	c.D = d
	return &c
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
