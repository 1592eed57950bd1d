package projectiontest

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/projections"
)

// earlyRebuild asks for rebuilds while the views are built for the first time: the generation that a rebuild
// made may then be dropped as nobody's, and the rebuild has to happen all the same.
func earlyRebuild(t *testing.T, open Opener) {
	for range 4 {
		store, _ := open(t)
		log, _, _ := written(t, 7, 5)
		r := start(t, projections.Config{Source: log, Store: store})
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for _, v := range builtin {
			require.NoError(t, r.Rebuild(ctx, v), "rebuild %s", v)
		}
		cancel()
		r.stop()
		if c, ok := store.(io.Closer); ok {
			require.NoError(t, c.Close())
		}
	}
}
