package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/atonehq/atone/domain"
)

// eventData is what the clients' events hold: about 60 bytes.
var eventData = []byte(`{"n":1,"text":"something of a usual length for an event"}`)

// rounds is how often the real server and the idle one take turns. Results are medians over rounds.
const rounds = 5

// idle answers a client's calls without doing anything, to measure the client's own cost.
type idle struct {
	streams.UnimplementedStreamsServer
	events int // how many events a subscription gets
}

// Append implements the protocol.
func (*idle) Append(call streams.Streams_AppendServer) error {
	for {
		if _, err := call.Recv(); err != nil {
			return call.SendAndClose(&streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
				CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{},
				PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
			}}})
		}
	}
}

// Read implements the protocol: the same event again and again.
func (s *idle) Read(_ *streams.ReadReq, call streams.Streams_ReadServer) error {
	confirm := &streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "idle"}}}
	if err := call.Send(confirm); err != nil {
		return err
	}
	recorded := &streams.ReadResp_ReadEvent_RecordedEvent{
		Id:               &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("bench-1")},
		PreparePosition:  1, CommitPosition: 1, Data: eventData,
		Metadata: map[string]string{"type": "Happened", "content-type": "application/json", "created": "17000000000000000"},
	}
	event := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: recorded, Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: 1}}}}
	for range s.events {
		if err := call.Send(event); err != nil {
			return err
		}
	}
	<-call.Context().Done()
	return nil
}

// serveIdle serves clients without doing anything.
func serveIdle(events int) (address string, stop func(), err error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for EventStoreDB clients: %w", err)
	}
	server := grpc.NewServer()
	streams.RegisterStreamsServer(server, &idle{events: events})
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(lis) }()
	return lis.Addr().String(), func() { server.Stop(); <-ended }, nil
}

// connect returns the official client.
func connect(address string) (*esdb.Client, error) {
	cfg, err := esdb.ParseConnectionString("esdb://" + address + "?tls=false")
	if err != nil {
		return nil, err
	}
	cfg.Logger = esdb.NoopLogging()
	return esdb.NewClient(cfg)
}

// clientScenario is what the official client does against atone's server and against an idle one.
type clientScenario struct {
	callers, runs int
	// fill prepares the log; nil prepares nothing.
	fill func(ctx context.Context, log domain.Log, n int) error
	// measure makes the client handle n events and returns the latencies of its calls, if it makes
	// single calls.
	measure func(ctx context.Context, client *esdb.Client, callers, n int) ([]time.Duration, error)
	// split spreads the events over the rounds; otherwise each round handles all of them.
	split bool
}

var clientScenarios = map[string]clientScenario{
	"e1": {callers: 16, runs: 50_000, measure: appendSingly, split: true},
	"e2": {callers: 1, runs: 1_000_000, fill: fillLog, measure: catchUp},
}

// runClient measures a scenario of the official client. The two servers take turns, so that other
// load on the machine affects both.
func runClient(ctx context.Context, o Options, sc clientScenario) (res Result, err error) {
	sc.callers, sc.runs = orElse(o.Callers, sc.callers), orElse(o.Runs, sc.runs)
	res = Result{Scenario: o.Scenario, Callers: sc.callers, Runs: sc.runs, Log: served.name()}
	_, log, closeLog, err := dataLog(o.Data)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, closeLog()) }()
	turns, each := rounds, max(sc.runs/rounds, 1)
	if !sc.split {
		turns, each = 3, sc.runs
	}
	if sc.fill != nil {
		if err := sc.fill(ctx, log, each); err != nil {
			return res, err
		}
	}
	address, stop, err := serve(log)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	idleAddress, stopIdle, err := serveIdle(each)
	if err != nil {
		return res, err
	}
	defer stopIdle()
	return res, res.compareServers(ctx, sc, address, idleAddress, turns, each)
}

func (r *Result) compareServers(ctx context.Context, sc clientScenario, address, idleAddress string, turns, each int) error {
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	bare, err := connect(idleAddress)
	if err != nil {
		return err
	}
	defer func() { _ = bare.Close() }()
	var speeds, ceilings, ratios []float64
	var latencies []time.Duration
	var cpu time.Duration
	for range turns {
		began, before := time.Now(), cpuTime()
		took, err := sc.measure(ctx, client, sc.callers, each)
		if err != nil {
			return err
		}
		cpu += cpuTime() - before
		r.Seconds += time.Since(began).Seconds()
		speeds = append(speeds, float64(each)/time.Since(began).Seconds())
		latencies = append(latencies, took...)
		began = time.Now()
		if _, err := sc.measure(ctx, bare, sc.callers, each); err != nil {
			return err
		}
		ceilings = append(ceilings, float64(each)/time.Since(began).Seconds())
		ratios = append(ratios, speeds[len(speeds)-1]/ceilings[len(ceilings)-1])
	}
	r.EventsPerSecond, r.ClientCeiling, r.Ratio = median(speeds), median(ceilings), median(ratios)
	r.CPU = cpu.Seconds() / float64(turns*each) * 1000
	r.PeakRSS = peakRSS()
	r.P50, r.P95, r.P99 = percentile(latencies, 50), percentile(latencies, 95), percentile(latencies, 99)
	return nil
}

// appendSingly has each caller append events to a stream of its own, one by one.
func appendSingly(ctx context.Context, client *esdb.Client, callers, n int) ([]time.Duration, error) {
	var caller atomic.Int64
	return repeat(ctx, callers, n, func(ctx context.Context) error {
		stream := "bench-" + itoa(int(caller.Add(1))%callers)
		_, err := client.AppendToStream(ctx, stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}},
			esdb.EventData{EventID: uuid.New(), EventType: "Happened", ContentType: esdb.ContentTypeJson, Data: eventData})
		return err
	})
}

// catchUp subscribes to everything from the beginning and reads n events.
func catchUp(ctx context.Context, client *esdb.Client, _, n int) ([]time.Duration, error) {
	sub, err := client.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{From: esdb.Start{}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Close() }()
	for seen := 0; seen < n; {
		m := sub.Recv()
		if m.SubscriptionDropped != nil {
			return nil, fmt.Errorf("the subscription dropped after %d events: %w", seen, m.SubscriptionDropped.Error)
		}
		if m.EventAppeared != nil {
			seen++
		}
	}
	return nil, nil
}

// fillLog appends n events directly, a thousand at once, to a hundred streams.
func fillLog(ctx context.Context, log domain.Log, n int) error {
	for done := 0; done < n; {
		batch := make([]domain.NewEvent, min(1000, n-done))
		for i := range batch {
			batch[i] = domain.NewEvent{ID: uuid.New(), Type: "Happened", Data: eventData, Metadata: []byte(`{"$correlationId":"bench"}`)}
		}
		if _, err := log.Append(ctx, "bench-"+itoa(done/1000%100), domain.AnyRevision, batch...); err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}
