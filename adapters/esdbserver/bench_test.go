package esdbserver_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
)

func benchClient(b *testing.B, addr string) *esdb.Client {
	b.Helper()
	cfg, err := esdb.ParseConnectionString(fmt.Sprintf("esdb://%s?tls=false", addr))
	require.NoError(b, err)
	cfg.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(cfg)
	require.NoError(b, err)
	b.Cleanup(func() { _ = client.Close() })
	return client
}

func benchServer(b *testing.B, log domain.Log) string {
	b.Helper()
	return esdbtest.Start(b, esdbserver.Config{Log: log}).Addr
}

// noopStreams answers every append at once: what is left is the client's own cost.
type noopStreams struct {
	streams.UnimplementedStreamsServer
}

func (noopStreams) Append(call streams.Streams_AppendServer) error {
	for {
		if _, err := call.Recv(); err != nil {
			return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
				CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{},
				PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
			}}})
		}
	}
}

func appendFrom16(b *testing.B, addr string) {
	client := benchClient(b, addr)
	ctx := context.Background()
	var caller atomic.Int64
	b.SetParallelism(8) // times the two processors of the reference machine: 16 callers
	b.RunParallel(func(pb *testing.PB) {
		stream := fmt.Sprintf("bench-%d", caller.Add(1))
		for pb.Next() {
			if _, err := client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{}, batch(1, "Happened")...); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

// Single-event appends through the Go client, against the client's own ceiling.
func BenchmarkAppend(b *testing.B) {
	b.Run("server that does nothing", func(b *testing.B) {
		lis, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		server := grpc.NewServer()
		streams.RegisterStreamsServer(server, noopStreams{})
		go func() { _ = server.Serve(lis) }()
		b.Cleanup(server.Stop)
		appendFrom16(b, lis.Addr().String())
	})
	b.Run("log in memory", func(b *testing.B) { appendFrom16(b, benchServer(b, memlog.New())) })
	b.Run("log on disk", func(b *testing.B) {
		log, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
		require.NoError(b, err)
		b.Cleanup(func() { _ = log.Close() })
		appendFrom16(b, benchServer(b, log))
	})
}

// A catch-up subscription over everything, b.N events.
func BenchmarkCatchUp(b *testing.B) {
	log := memlog.New()
	ctx := context.Background()
	for left := b.N; left > 0; {
		n := min(left, 1000)
		events := make([]domain.NewEvent, n)
		for i := range events {
			events[i] = domain.NewEvent{ID: uuid.New(), Type: "Happened", Data: []byte(`{"n":1,"text":"something of a usual length for an event"}`), Metadata: []byte(`{"$correlationId":"x"}`)}
		}
		_, err := log.Append(ctx, "bench-1", domain.AnyRevision, events...)
		require.NoError(b, err)
		left -= n
	}
	client := benchClient(b, benchServer(b, log))
	b.ResetTimer()
	sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	require.NoError(b, err)
	defer sub.Close()
	for seen := 0; seen < b.N; {
		m := sub.Recv()
		require.Nil(b, m.SubscriptionDropped)
		if m.EventAppeared != nil {
			seen++
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkBatchAppendToOneStream pipelines 5,000 batches of one event each on one call to one
// stream, on a log that syncs: they share syncs. ns/op is for all of them.
func BenchmarkBatchAppendToOneStream(b *testing.B) {
	log, err := pebblelog.Open(b.TempDir(), pebblelog.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { _ = log.Close() })
	conn, err := grpc.NewClient(benchServer(b, log), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	call, err := streams.NewStreamsClient(conn).BatchAppend(context.Background())
	require.NoError(b, err)
	const batches = 5000
	for b.Loop() {
		go func() {
			for range batches {
				_ = call.Send(request("s", []byte("{}")))
			}
		}()
		for range batches {
			resp, err := call.Recv()
			require.NoError(b, err)
			require.NotNil(b, resp.GetSuccess())
		}
	}
	b.ReportMetric(float64(batches*b.N)/b.Elapsed().Seconds(), "appends/s")
}
