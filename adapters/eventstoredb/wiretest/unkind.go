package wiretest

import (
	"context"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// Behaviour is what an [Unkind] does. The zero value passes everything on as it is.
type Behaviour struct {
	// Lag hides an append from reads for up to this long, though conflicts name its revision at
	// once and its acknowledgement comes half-way (scenarios E1, J2).
	Lag time.Duration
	// NoCheckpoints replaces the checkpoints of filtered subscriptions by one of 2^64-1 before
	// CaughtUp. Real servers do where the catch-up found nothing (A0); this one always.
	NoCheckpoints bool
	// Gaps makes positions byte offsets with gaps, and refuses those that are no record's (A3, C1).
	Gaps bool
	// DropDuplicates is after what time an append is answered Aborted that is identical to one
	// under way (D5); 0 passes it on.
	DropDuplicates time.Duration
	// EndCalls is the share of batches that end their call as a whole, with not-leader (J1). Other
	// calls on that connection then fail half of the time (K2).
	EndCalls float64
	// Silence is the share of appends that are written and never answered.
	Silence float64
	// Denied tells callers whose call was cancelled, or timed out, that they are denied.
	Denied bool
	// NoBatches leaves batches out of the features.
	NoBatches bool
}

// All is everything at once, as often as a test of some seconds can bear.
func All() Behaviour {
	return Behaviour{Lag: 60 * time.Millisecond, NoCheckpoints: true, Gaps: true, DropDuplicates: 500 * time.Millisecond,
		EndCalls: 0.01, Silence: 0.002, Denied: true}
}

// Unkind is a server that asks another one and answers worse. It serves appends, reads, features
// and gossip. It is safe to use concurrently.
type Unkind struct {
	Behaviour
	target *grpc.ClientConn
	server *grpc.Server

	mu      sync.Mutex
	random  *rand.Rand
	hidden  map[string][]hiding // by stream
	flights map[string]bool     // identical appends under way
	counts  map[string]int      // how often it was unkind, by kind
}

// NewUnkind returns a server in front of the one at the address, which it reaches without TLS.
func NewUnkind(target string, b Behaviour, seed uint64) (*Unkind, error) {
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largest)))
	if err != nil {
		return nil, err
	}
	u := &Unkind{Behaviour: b, target: conn, random: rand.New(rand.NewPCG(seed, 1)), hidden: map[string][]hiding{},
		flights: map[string]bool{}, counts: map[string]int{}}
	u.server = grpc.NewServer(grpc.MaxRecvMsgSize(largest), grpc.StatsHandler(poison{}), grpc.ChainStreamInterceptor(u.intercept),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}))
	api.RegisterStreamsServer(u.server, unkindStreams{Unkind: u})
	features.RegisterServerFeaturesServer(u.server, unkindFeatures{Unkind: u})
	gossip.RegisterGossipServer(u.server, unkindGossip{Unkind: u})
	return u, nil
}

// largest is the largest message that is passed on.
const largest = 17 << 20

// Serve serves until Stop.
func (u *Unkind) Serve(l net.Listener) error { return u.server.Serve(l) }

// Stop ends all calls.
func (u *Unkind) Stop() {
	u.server.Stop()
	_ = u.target.Close()
}

// Counts tells how often it was unkind, by kind.
func (u *Unkind) Counts() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make(map[string]int, len(u.counts))
	for k, n := range u.counts {
		out[k] = n
	}
	return out
}

func (u *Unkind) count(kind string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.counts[kind]++
}

// chance is true with the probability.
func (u *Unkind) chance(p float64) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.random.Float64() < p
}

// lag is a time up to Lag: mostly short, sometimes none.
func (u *Unkind) lag() time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.Lag == 0 || u.random.IntN(3) == 0 {
		return 0
	}
	return time.Duration(u.random.Int64N(int64(u.Lag)))
}

// poison marks connections on which a batch call ended as a whole.
type poison struct{}

type poisonKey struct{}

// poisoned is one connection's state.
type poisoned struct {
	mu sync.Mutex
	is bool
}

func (p *poisoned) set() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is = true
}

func (p *poisoned) get() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.is
}

func connectionOf(ctx context.Context) *poisoned {
	p, _ := ctx.Value(poisonKey{}).(*poisoned)
	return p
}

// TagConn implements stats.Handler.
func (poison) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return context.WithValue(ctx, poisonKey{}, &poisoned{})
}

// HandleConn implements stats.Handler.
func (poison) HandleConn(context.Context, stats.ConnStats) {}

// TagRPC implements stats.Handler.
func (poison) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// HandleRPC implements stats.Handler.
func (poison) HandleRPC(context.Context, stats.RPCStats) {}

// intercept fails calls on poisoned connections, and words the end of cancelled ones.
func (u *Unkind) intercept(srv any, call grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if p := connectionOf(call.Context()); p != nil && p.get() && u.chance(0.5) {
		u.count("calls on a poisoned connection")
		return status.Error(codes.Unknown, "Exception was thrown by handler.")
	}
	err := next(srv, call)
	if u.Denied && call.Context().Err() != nil {
		u.count("cancelled calls that were denied")
		call.SetTrailer(metadata.Pairs("exception", "access-denied"))
		return status.Error(codes.PermissionDenied, "Access Denied")
	}
	return err
}

// passOn is the context of the call to the target: the caller's, with what it said.
func passOn(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	out := metadata.MD{}
	for _, key := range []string{"authorization", "requires-leader"} {
		if values := md.Get(key); len(values) > 0 {
			out.Set(key, values...)
		}
	}
	return metadata.NewOutgoingContext(ctx, out)
}

type unkindFeatures struct {
	features.UnimplementedServerFeaturesServer
	*Unkind
}

// GetSupportedMethods tells the target's features.
func (u unkindFeatures) GetSupportedMethods(ctx context.Context, in *shared.Empty) (*features.SupportedMethods, error) {
	out, err := features.NewServerFeaturesClient(u.target).GetSupportedMethods(passOn(ctx), in)
	if err != nil || !u.NoBatches {
		return out, err
	}
	kept := out.Methods[:0]
	for _, m := range out.Methods {
		if m.GetMethodName() != "batchappend" {
			kept = append(kept, m)
		}
	}
	out.Methods = kept
	return out, nil
}

type unkindGossip struct {
	gossip.UnimplementedGossipServer
	*Unkind
}

// Read tells the target's members.
func (u unkindGossip) Read(ctx context.Context, in *shared.Empty) (*gossip.ClusterInfo, error) {
	return gossip.NewGossipClient(u.target).Read(passOn(ctx), in)
}

func (u *Unkind) out(p uint64) uint64 {
	if !u.Gaps || p > math.MaxInt64/gap-gap {
		return p
	}
	return p*gap + p%7
}
