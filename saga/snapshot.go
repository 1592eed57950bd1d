package saga

import (
	"context"

	"github.com/atonehq/atone/domain"
)

func (c *Coordinator) loadSnapshot(context.Context, domain.RunID) (loaded, uint64, error) {
	return loaded{}, 0, nil
}

func (c *Coordinator) snapshotIfDue(*actor) {}
