package saga_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

// cutOffLog shows nothing of the stream "orders", as a server does of one that was soft-deleted.
type cutOffLog struct{ domain.Log }

// ReadStream implements [domain.Log].
func (l cutOffLog) ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error] {
	if stream == "orders" {
		return func(func(domain.Recorded, error) bool) {}
	}
	return l.Log.ReadStream(ctx, stream, from)
}

func TestAnEmptyReadIsNotTakenForAgreement(t *testing.T) {
	t.Parallel()
	c := begin(t, cutOffLog{memlog.New()}, saga.Config{})
	_, err := c.EmitEvent(t.Context(), "orders", "order.placed", []byte(`1`), saga.EmitOptions{ID: "42"})
	require.ErrorIs(t, err, saga.ErrKeyConflict)
	require.ErrorContains(t, err, "can't be read any more")
}
