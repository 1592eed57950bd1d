package eventstoredb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/eventstoredb/wiretest"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

var (
	soak     = flag.Duration("soak", 0, "how long TestTwoProcessesShareTheRuns goes on killing; 0 means 16 kills")
	killSeed = flag.Uint64("killseed", 0, "the seed of TestTwoProcessesShareTheRuns; 0 picks one")
)

// nodeEnv, in the environment, makes the test binary one of the processes of
// TestTwoProcessesShareTheRuns: its directory, name, generation and connection, apart by a '|'.
const nodeEnv = "ATONE_SHARED_TEST_NODE"

// sharedTimeout is after what silence the processes take each other for dead.
const sharedTimeout = 2 * time.Second

func TestMain(m *testing.M) {
	if words := strings.SplitN(os.Getenv(nodeEnv), "|", 4); len(words) == 4 {
		generation, err := strconv.Atoi(words[2])
		if err = errors.Join(err, sharedNode(words[0], words[1], words[3], generation)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(slowEnv); dir != "" {
		if err := slowServer(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if dir := os.Getenv(serverEnv); dir != "" {
		fmt.Fprintln(os.Stderr, killedServer(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// process is a running node.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *strings.Builder
}

func startNode(t *testing.T, dir, name string, generation int, connection string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.Command(exe, "-test.run=^$"), stderr: &strings.Builder{}}
	p.cmd.Env = append(os.Environ(), nodeEnv+"="+strings.Join([]string{dir, name, strconv.Itoa(generation), connection}, "|"))
	p.cmd.Stderr = p.stderr
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	text, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || text != "ready\n" {
		_ = p.cmd.Wait()
		t.Fatalf("node %s did not start: %q %v\n%s", name, text, err, p.stderr)
	}
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, p.cmd.Wait(), &exit)
	require.Equal(t, "signal: killed", exit.String(), "it ended by itself: %s", p.stderr)
}

// onDisk serves a log on disk over the protocol and returns it with its connection string.
func onDisk(t *testing.T, dir string) (domain.Log, string) {
	t.Helper()
	log, err := pebblelog.Open(dir, pebblelog.Config{Logger: silent})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	node, err := esdbserver.New(esdbserver.Config{Log: log, Reserved: []string{}, Logger: silent})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- node.Serve(ctx, listener) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	return log, "esdb://" + listener.Addr().String() + "?tls=false"
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
// server over a log on disk, kills either or both with -9 at random instants, and holds how the
// runs ended against the ledger of effects. Some dead are left dead until the other has taken over.
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
	nodes := make([]*process, 2)
	generation, kills := 0, 0
	start := func(i int) {
		nodes[i] = startNode(t, dir, names[i], generation, connection)
		generation++
	}
	start(0)
	start(1)
	for began := time.Now(); kills < 16 || time.Since(began) < *soak; {
		orders.place()
		// not for something: for the instant to be any
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		i := random.IntN(2)
		nodes[i].kill(t)
		kills++
		switch random.IntN(6) {
		case 0: // the other takes over
			orders.place()
			time.Sleep(sharedTimeout + time.Duration(random.IntN(1500))*time.Millisecond)
		case 1: // it goes, too
			nodes[1-i].kill(t)
			kills++
			orders.place()
			start(1 - i)
		}
		start(i)
	}
	orders.pay(len(orders.placed) - 1)
	requireAllEnd(t, log, len(orders.placed))
	for i, p := range nodes {
		require.NoError(t, p.stdin.Close())
		require.NoError(t, p.cmd.Wait(), "%s: %s", names[i], p.stderr)
	}
	t.Logf("%d kills", kills)
	checkShared(t, log, dir, orders.placed)
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
