package memlog_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/logtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKeepsTheContractOfALog(t *testing.T) {
	t.Parallel()
	logtest.Test(t, func(*testing.T) domain.Log { return memlog.New() })
}
