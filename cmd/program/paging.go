package program

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/wire"
)

// paging are the flags of lists.
type paging struct {
	limit     int
	cursor    string
	all       bool
	ascending bool
}

func (p *paging) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.IntVar(&p.limit, "limit", 50, "how many, from 1 to 1000")
	f.StringVar(&p.cursor, "cursor", "", "go on after an earlier page: its cursor")
	f.BoolVar(&p.all, "all", false, "all pages")
	f.BoolVar(&p.ascending, "oldest-first", false, "the oldest first, not the newest")
}

func (p *paging) check() error {
	if p.limit < 1 || p.limit > 1000 {
		return usageError{fmt.Errorf("--limit %d: use 1 to 1000", p.limit)}
	}
	if p.all && p.cursor != "" {
		return usageError{errors.New("--all begins with the first page: leave --cursor away")}
	}
	return nil
}

// pages writes one page, or with --all every one. fetch gets the cursor and how many are wanted.
func pages[T any](p *paging, l *listing[T], fetch func(cursor string, limit int) (wire.Page[T], error)) error {
	if !p.all {
		page, err := fetch(p.cursor, p.limit)
		if err != nil {
			return err
		}
		return l.page(page)
	}
	streamed := l.env.output == formatNDJSON || l.env.output == formatCSV
	var whole wire.Page[T]
	for cursor := ""; ; {
		page, err := fetch(cursor, 1000)
		if err != nil {
			return err
		}
		cursor, page.Next = page.Next, ""
		if streamed {
			if err := l.page(page); err != nil {
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
	return l.page(whole)
}
