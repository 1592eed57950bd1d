package postgres_test

import (
	"testing"

	"github.com/atonehq/atone/projections/projectiontest"
)

func TestKeepsTheContractOfAStore(t *testing.T) {
	t.Parallel()
	projectiontest.Test(t, open)
}
