package domain_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// What is reserved is the exact shape of a name, so that public programs keep theirs.
func TestReservedNamesHaveAnExactShape(t *testing.T) {
	t.Parallel()
	id, hash := uuid.NewString(), strings.Repeat("0f", 32)
	for _, name := range []string{
		"run-" + id, "run-" + strings.ToUpper(id), "snapshot-" + id, "plan-" + hash, "atone-", "atone-x", "atone-saga-signup",
	} {
		require.True(t, domain.ReservedStream(name), name)
		require.NotEmpty(t, domain.ReservedShape(name), name)
	}
	for _, name := range []string{
		"", "run-", "run-42", "run-" + id + "x", "run-" + strings.ReplaceAll(id, "-", ""), "run-{" + id + "}", "run-urn:uuid:" + id,
		"snapshot-", "snapshot-order-1", "snapshot-" + id[1:], "plan-", "plan-basic", "plan-" + hash[1:], "plan-" + hash + "0",
		"plan-" + strings.Repeat("g", 64), "saga-signup", "sagas", "running-" + id, "Atone-x", "order-" + id, "aton",
	} {
		require.False(t, domain.ReservedStream(name), name)
	}
}
