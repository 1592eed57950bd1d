package esdbserver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The clock by which the pattern engine judges its time limit: one for the process, which
		// ends by itself when no pattern has been matched for a while.
		goleak.IgnoreAnyFunction("github.com/dlclark/regexp2.runClock"),
	)
}

// node is a server for one test.
type node struct {
	t    *testing.T
	log  domain.Log
	addr string
	stop func()
}

// start serves a new log in memory on a free port until the test ends.
func start(t *testing.T, change ...func(*esdbserver.Config)) *node {
	t.Helper()
	cfg := esdbserver.Config{Log: memlog.New()}
	for _, f := range change {
		f(&cfg)
	}
	server := esdbtest.Start(t, cfg)
	n := &node{t: t, log: cfg.Log, addr: server.Addr}
	n.stop = func() { require.NoError(t, server.Stop()) }
	return n
}

// client connects the official client.
func (n *node) client(options ...string) *esdb.Client {
	n.t.Helper()
	url := fmt.Sprintf("esdb://%s?tls=false", n.addr)
	for _, o := range options {
		url += "&" + o
	}
	return dial(n.t, url)
}

func dial(t *testing.T, url string) *esdb.Client {
	t.Helper()
	cfg, err := esdb.ParseConnectionString(url)
	require.NoError(t, err)
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// within bounds what a test waits for, generously: machines are busy.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// batch makes n events of the type.
func batch(n int, eventType string) []esdb.EventData {
	out := make([]esdb.EventData, n)
	for i := range out {
		out[i] = esdb.EventData{
			EventID: uuid.New(), EventType: eventType, ContentType: esdb.ContentTypeJson,
			Data: fmt.Appendf(nil, `{"n":%d}`, i), Metadata: []byte(`{"m":true}`),
		}
	}
	return out
}

// code returns the client's classification of an error.
func code(t *testing.T, err error) esdb.ErrorCode {
	t.Helper()
	require.Error(t, err)
	var e *esdb.Error
	require.ErrorAs(t, err, &e)
	return e.Code()
}
