package eventstoredb_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/eventstoredb/wiretest"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

var (
	soak     = flag.Duration("soak", 0, "how long TestTwoProcessesShareTheRuns goes on killing; 0 means 16 kills")
	killSeed = flag.Uint64("killseed", 0, "the seed of TestTwoProcessesShareTheRuns; 0 picks one")
)

// sharedTimeout is how long a process must be silent before the others take it for dead.
const sharedTimeout = 2 * time.Second

func TestMain(m *testing.M) {
	killtest.BeChild(killtest.Children{"node": sharedNode, "slow": slowServer, "server": killedServer})
	os.Exit(m.Run())
}

func startNode(t *testing.T, dir, name string, generation int, connection string) *killtest.Child {
	t.Helper()
	node := killtest.Start(t, "node", dir, name, connection, strconv.Itoa(generation))
	node.Says(t, "ready")
	return node
}

// onDisk serves a log on disk over the protocol and returns it with its connection string.
func onDisk(t *testing.T, dir string) (domain.Log, string) {
	t.Helper()
	log, err := pebblelog.Open(dir, pebblelog.Config{Logger: silent})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log, esdbtest.Start(t, esdbserver.Config{Log: log, Reserved: []string{}}).Connection()
}

// shop is an app that emits events with the official client and knows nothing of atone.
type shop struct {
	t      *testing.T
	client *esdb.Client
	placed []uuid.UUID
}

func newShop(t *testing.T, connection string) *shop {
	t.Helper()
	cfg, err := esdb.ParseConnectionString(connection)
	require.NoError(t, err)
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return &shop{t: t, client: client}
}

func (s *shop) emit(eventType, correlation string, data any) uuid.UUID {
	s.t.Helper()
	body, err := json.Marshal(data)
	require.NoError(s.t, err)
	meta, err := json.Marshal(map[string]string{"$correlationId": correlation})
	require.NoError(s.t, err)
	id := uuid.New()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	_, err = s.client.AppendToStream(ctx, "shop-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}},
		esdb.EventData{EventID: id, EventType: eventType, ContentType: esdb.ContentTypeJson, Data: body, Metadata: meta})
	require.NoError(s.t, err)
	return id
}

// place emits an order, and the payment of the one before.
func (s *shop) place() {
	n := len(s.placed)
	id := fmt.Sprint("order ", n)
	s.placed = append(s.placed, s.emit("order-placed", id, job{N: n, Fail: n%4 == 1, ID: id}))
	s.pay(n - 1)
}

func (s *shop) pay(n int) {
	if n >= 0 {
		s.emit("order-paid", fmt.Sprint("order ", n), job{})
	}
}

// TestTwoProcessesShareTheRuns has two processes run sagas on one EventStoreDB, which is atone's
// server over a log on disk, kills either or both with -9 at random instants, and compares how the
// runs ended with the ledger of effects. Some are left dead until the other has taken over.
func TestTwoProcessesShareTheRuns(t *testing.T) {
	t.Parallel()
	shareRuns(t, func(connection string, _ uint64) string { return connection })
}

// TestTwoProcessesShareTheRunsOfAnUnkindServer is the same with a server between that does
// everything at once that real ones were seen to do: reads that lag, checkpoints and positions that
// are none, repeats that are dropped, batch calls that end as a whole, answers that never come,
// cancelled calls that are "denied".
func TestTwoProcessesShareTheRunsOfAnUnkindServer(t *testing.T) {
	t.Parallel()
	var unkind *wiretest.Unkind
	shareRuns(t, func(connection string, seed uint64) string {
		var address string
		unkind, address = unkindly(t, connection, wiretest.All(), seed)
		return address
	})
	counts := unkind.Counts()
	t.Logf("it was unkind: %v", counts)
	for _, kind := range []string{"appends hidden from reads", "checkpoints of 2^64-1", "batch calls that ended as a whole",
		"cancelled calls that were denied"} {
		require.Positive(t, counts[kind], kind)
	}
}

// unkindly puts an unkind server before the one of the connection.
func unkindly(t *testing.T, connection string, b wiretest.Behaviour, seed uint64) (*wiretest.Unkind, string) {
	t.Helper()
	target := strings.TrimSuffix(strings.TrimPrefix(connection, "esdb://"), "?tls=false")
	unkind, err := wiretest.NewUnkind(target, b, seed)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = unkind.Serve(listener) }()
	t.Cleanup(func() { unkind.Stop(); <-ended })
	return unkind, "esdb://" + listener.Addr().String() + "?tls=false"
}

// shareRuns has two processes share the runs on the server that between returns for the connection.
func shareRuns(t *testing.T, between func(connection string, seed uint64) string) {
	dir := t.TempDir()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -killseed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	log, direct := onDisk(t, filepath.Join(dir, "log"))
	orders := newShop(t, direct)
	connection := between(direct, seed)
	names := []string{"left", "right"}
	nodes := make([]*killtest.Child, 2)
	generation, kills := 0, 0
	start := func(i int) {
		nodes[i] = startNode(t, dir, names[i], generation, connection)
		generation++
	}
	start(0)
	start(1)
	for began := time.Now(); kills < 16 || time.Since(began) < *soak; {
		orders.place()
		// the kill comes at a random instant
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		i := random.IntN(2)
		nodes[i].Kill(t)
		kills++
		switch random.IntN(6) {
		case 0: // the other takes over
			orders.place()
			time.Sleep(sharedTimeout + time.Duration(random.IntN(1500))*time.Millisecond)
		case 1: // it goes, too
			nodes[1-i].Kill(t)
			kills++
			orders.place()
			start(1 - i)
		}
		start(i)
	}
	orders.pay(len(orders.placed) - 1)
	requireAllEnd(t, log, len(orders.placed))
	for _, node := range nodes {
		node.End(t)
	}
	t.Logf("%d kills", kills)
	runs := killtest.Check(t, log, dir)
	for _, event := range orders.placed {
		require.Equal(t, 1, runs.Events[event.String()], "runs of the event %s", event)
		require.NotNil(t, runs.States[domain.RunIDForEvent("ship", event)])
	}
	require.Len(t, runs.Events, len(orders.placed))
}

// requireAllEnd waits until every run has ended, those of the events included.
func requireAllEnd(t *testing.T, log domain.Log, triggered int) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		open, ships := openRuns(t, log)
		if len(open) == 0 && ships == triggered {
			return
		}
		if time.Now().Before(deadline) {
			continue
		}
		for _, stream := range open[:min(len(open), 3)] {
			for e, err := range log.ReadStream(t.Context(), stream, 0) {
				require.NoError(t, err)
				t.Logf("%s %d %s %s %s %s", stream, e.Revision, e.Created.Format("05.000"), e.Type, e.Data, e.Metadata)
			}
		}
		t.Fatalf("%d of %d events started runs; these do not end: %v", ships, triggered, open)
	}
}

// openRuns returns the streams of the runs that have not ended, and how many runs events started.
func openRuns(t *testing.T, log domain.Log) (open []string, triggered int) {
	t.Helper()
	ended := map[string]bool{}
	for e, err := range log.ReadAll(t.Context(), 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		if e.Revision == 0 && strings.Contains(string(e.Data), `"order-placed"`) {
			triggered++
		}
		m, err := domain.DecodeMeta(e.Metadata)
		require.NoError(t, err)
		ended[e.Stream] = m.Wake.State.Ended()
	}
	for stream, is := range ended {
		if !is {
			open = append(open, stream)
		}
	}
	return open, triggered
}
