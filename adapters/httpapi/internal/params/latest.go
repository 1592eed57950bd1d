package params

import (
	"cmp"
	"errors"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// Latest asks a view. Where the rows should be the latest, it waits for them, but not for long:
// then it takes those that there are. fresh is what the question asks with, end the log's end.
func Latest[P any](in *Fresh, fresh *projections.Fresh, end func() (domain.Position, error), ask func() (P, error)) (P, error) {
	if !in.Latest || in.AtLeast > 0 {
		return ask()
	}
	at, err := end()
	if err != nil {
		var none P
		return none, err
	}
	fresh.AtLeast, fresh.Wait = at, cmp.Or(fresh.Wait, time.Second)
	page, err := ask()
	if errors.Is(err, projections.ErrBehind) {
		*fresh = projections.Fresh{}
		return ask()
	}
	return page, err
}
