package console

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// Paging is the flags of lists.
type Paging struct {
	limit  int
	cursor string
	all    bool
	// Ascending is --oldest-first.
	Ascending bool
}

func (p *Paging) AddFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&p.limit, "limit", 50, "how many, from 1 to 1000")
	f.StringVar(&p.cursor, "cursor", "", "go on after an earlier page: its cursor")
	f.BoolVar(&p.all, "all", false, "all pages")
	f.BoolVar(&p.Ascending, "oldest-first", false, "the oldest first, not the newest")
}

func (p *Paging) Check() error {
	if p.limit < 1 || p.limit > 1000 {
		return UsageError{fmt.Errorf("--limit %d: use 1 to 1000", p.limit)}
	}
	if p.all && p.cursor != "" {
		return UsageError{errors.New("--all begins with the first page: leave --cursor away")}
	}
	return nil
}

// Pages writes one page, or with --all every one. fetch gets the cursor and how many are wanted.
func Pages[T any](p *Paging, l *Listing[T], fetch func(cursor string, limit int) (wire.Page[T], error)) error {
	if !p.all {
		page, err := fetch(p.cursor, p.limit)
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
