package empty

// Page is what stands in the place of rows.
type Page struct {
	// Say is why there are none, About what would be here; About may be empty.
	Say, About string
	// Command is a command line to copy; empty for none.
	Command string
	// Button is a link to Path, which is below the base of the pages; empty for none.
	Button, Path string
}

// Asked is what a reader asked a list for.
type Asked struct {
	// Query is what was searched for, State the choice above the list; empty means all.
	Query, State string
	// Bad is what is wrong with the search, Behind says that the list lacks the newest events.
	Bad    []string
	Behind string
	// Group means that a group of incidents is open. Older means that there are other pages.
	Group, Older bool
}

// unmatched stands where there may be something, but nothing that was asked for. The button leads
// to what there is.
func unmatched(say, button, path string) *Page { return &Page{Say: say, Button: button, Path: path} }

// asked says that a search was not understood, or found nothing; nil where nothing was searched.
// The button clears the search.
func asked(a Asked, none, button, path string) *Page {
	switch {
	case len(a.Bad) > 0:
		return unmatched("Nothing was searched.", button, path)
	case a.Query != "":
		return unmatched(none, button, path)
	}
	return nil
}

// behind stands where nobody knows yet whether there is something.
func behind() *Page {
	return &Page{Say: "This list has nothing yet, and is behind: it fills by itself."}
}
