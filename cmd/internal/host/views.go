package host

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/atonehq/atone/adapters/postgres"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/views"
)

// ViewsDir is where a data directory has its views.
func ViewsDir(data string) string { return filepath.Join(data, "views") }

// Views is the place of the views. It opens with its first use, and is safe for concurrent use.
type Views struct {
	url, data string

	mu    sync.Mutex
	store interface {
		projections.Store
		Close() error
	}
}

// NewViews returns the views at a postgres:// address or, without one, in a data directory. It
// opens nothing.
func NewViews(url, data string) *Views { return &Views{url: url, data: data} }

// Store returns the store, which [Views.Close] closes.
func (v *Views) Store(ctx context.Context) (projections.Store, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store != nil {
		return v.store, nil
	}
	if v.url != "" {
		store, err := postgres.Open(ctx, postgres.Config{URL: v.url})
		if err != nil {
			return nil, fmt.Errorf("--views: %w", err)
		}
		v.store = store
		return store, nil
	}
	store, err := sqlite.Open(sqlite.Config{Dir: ViewsDir(v.data)})
	if err != nil {
		return nil, err
	}
	v.store = store
	return store, nil
}

// Close closes the store, if it is open.
func (v *Views) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.store == nil {
		return nil
	}
	return v.store.Close()
}

// AllViews lists atone's views and the program's own.
func (p *Program) AllViews() []projections.View { return append(views.All(), p.Views...) }
