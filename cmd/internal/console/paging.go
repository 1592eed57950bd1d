package console

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// Paging is the flags of lists.
type Paging struct {
	// Limit is --limit.
	Limit  int
	cursor string
	all    bool
	// Ascending is --oldest-first.
	Ascending bool
}

func (p *Paging) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&p.Limit, "limit", 50, "how many to list, from 1 to 1000")
	f.StringVar(&p.cursor, "cursor", "", "list what follows an earlier page, whose cursor this is")
	f.BoolVar(&p.all, "all", false, "all pages")
	f.BoolVar(&p.Ascending, "oldest-first", false, "list the oldest first instead of the newest")
}

func (p *Paging) Check() error {
	if p.Limit < 1 || p.Limit > 1000 {
		return UsageError{Err: fmt.Errorf("--limit %d: use 1 to 1000", p.Limit)}
	}
	if p.all && p.cursor != "" {
		return UsageError{Err: errors.New("--all begins with the first page: leave out --cursor")}
	}
	return nil
}

// Pages writes one page, or with --all every one. fetch gets the cursor and how many are wanted.
func Pages[T any](p *Paging, l *Listing[T], fetch func(cursor string, limit int) (wire.Page[T], error)) error {
	if !p.all {
		page, err := fetch(p.cursor, p.Limit)
		if err != nil {
			return err
		}
		return l.Page(page)
	}
	streamed := l.Console.Output == FormatNDJSON || l.Console.Output == FormatCSV
	var whole wire.Page[T]
	for cursor := ""; ; {
		page, err := fetch(cursor, 1000)
		if err != nil {
			return err
		}
		cursor, page.Next = page.Next, ""
		if streamed {
			if err := l.Page(page); err != nil {
				return err
			}
		} else {
			whole.Items, whole.Position, whole.Old = append(whole.Items, page.Items...), page.Position, whole.Old || page.Old
		}
		if cursor == "" {
			break
		}
	}
	if streamed {
		return nil
	}
	return l.Page(whole)
}
