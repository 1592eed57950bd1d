package eventstoredb_test

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/eventstoredb/wiretest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/logtest"
	"github.com/atonehq/atone/saga/sagatest/ordertest"
)

// realServer names the environment variable that holds the connection string of a real
// EventStoreDB or KurrentDB to run these same tests against. Its user must be an
// administrator, or streams and $all must be open to it.
const realServer = "ATONE_TEST_ESDB"

var silent = slog.New(slog.DiscardHandler)

// testServer is the server to test against: the real one where the environment names it,
// or else atone's own over a log in memory, which can be restarted.
type testServer struct {
	t          testing.TB
	log        *memlog.Log
	own        *esdbtest.Server
	connection string
}

// server returns a running server, stopped with the test.
func server(t testing.TB) *testServer {
	t.Helper()
	if connection := os.Getenv(realServer); connection != "" {
		return &testServer{t: t, connection: connection}
	}
	s := &testServer{t: t, log: memlog.New()}
	s.start()
	return s
}

// start serves what the log holds, on the same address as before.
func (s *testServer) start() {
	cfg := esdbserver.Config{Log: s.log, Reserved: []string{}}
	if s.own != nil {
		cfg.Addr = s.own.Addr
	}
	s.own = esdbtest.Start(s.t, cfg)
	s.connection = s.own.Connection()
}

// stop ends the server, until start.
func (s *testServer) stop() { require.NoError(s.t, s.own.Stop()) }

// openLog returns a log on the server, closed with the test.
func openLog(t testing.TB, connection string) *eventstoredb.Log {
	t.Helper()
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection, Logger: silent, RetryInitial: 5 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

func TestLogKeepsTheContract(t *testing.T) {
	t.Parallel()
	keepsTheContract(t, server(t).connection)
}

// TestLogKeepsTheContractWithCalls is for servers that take no batches.
func TestLogKeepsTheContractWithCalls(t *testing.T) {
	t.Parallel()
	_, connection := unkindly(t, server(t).connection, wiretest.Behaviour{NoBatches: true}, 1)
	keepsTheContract(t, connection)
}

// TestLogKeepsTheContractOnAnUnkindServer has the server do what real ones were seen to do.
func TestLogKeepsTheContractOnAnUnkindServer(t *testing.T) {
	t.Parallel()
	b := wiretest.All()
	b.NoCheckpoints = false // the contract has some
	b.Silence = 0           // it has time limits, too
	_, connection := unkindly(t, server(t).connection, b, 1)
	keepsTheContract(t, connection)
}

func keepsTheContract(t *testing.T, connection string) {
	logtest.Suite{
		Open: func(t *testing.T) domain.Log { return openLog(t, connection) },
		Reopen: func(t *testing.T, log domain.Log) domain.Log {
			require.NoError(t, log.(*eventstoredb.Log).Close())
			return openLog(t, connection)
		},
	}.Run(t)
}

func TestCallsFitOneOrder(t *testing.T) {
	t.Parallel()
	connection := server(t).connection
	ordertest.Check(t, openLog(t, connection), openLog(t, connection), openLog(t, connection))
}
