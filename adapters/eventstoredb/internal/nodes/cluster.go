package nodes

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// MaxReceive is the largest message taken from a server: an event of 16 MiB and its envelope.
const MaxReceive = 17 << 20

// How much a server may send on a call and on a connection before the reader has taken it: as much
// as a fast link with a delay of 50 ms holds. gRPC's own windows begin at 64 KiB, grow with what
// arrives, and cost a ping for each round trip with data.
const (
	callWindow       = 4 << 20
	connectionWindow = 16 << 20
)

// Cluster knows how to find a node and to dial it. It holds no connection.
type Cluster struct {
	conn    *esdb.Configuration
	options []grpc.DialOption
}

// NewCluster prepares TLS, credentials and dial options; it dials nothing. The pauses between dials
// of one node grow from retryInitial to retryMax; the options come after those of this package.
func NewCluster(conn *esdb.Configuration, retryInitial, retryMax time.Duration, more []grpc.DialOption) (*Cluster, error) {
	transport := insecure.NewCredentials()
	if !conn.DisableTLS {
		settings := &tls.Config{
			InsecureSkipVerify: conn.SkipCertificateVerification, //nolint:gosec // asked for by tlsVerifyCert=false
			RootCAs:            conn.RootCAs,
			MinVersion:         tls.VersionTLS12,
		}
		if conn.UserCertFile != "" {
			pair, err := tls.LoadX509KeyPair(conn.UserCertFile, conn.UserKeyFile)
			if err != nil {
				return nil, fmt.Errorf("load the user certificate (userCertFile, userKeyFile): %w", err)
			}
			settings.Certificates = []tls.Certificate{pair}
		}
		transport = credentials.NewTLS(settings)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxReceive)),
		grpc.WithStaticStreamWindowSize(callWindow), grpc.WithStaticConnWindowSize(connectionWindow),
		// The pause between dials stays short, so that a node that is back is used soon.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: retryInitial, Multiplier: 1.5, Jitter: 0.2, MaxDelay: retryMax},
			MinConnectTimeout: 5 * time.Second,
		}),
		// An idle connection stays open: its keepalive notices a dead node.
		grpc.WithIdleTimeout(0),
	}
	if conn.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: conn.KeepAliveInterval, Timeout: conn.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	if conn.Username != "" && !conn.DisableTLS {
		options = append(options, grpc.WithPerRPCCredentials(basicAuth(conn.Username, conn.Password)))
	}
	return &Cluster{conn: conn, options: append(options, more...)}, nil
}

// needsLeader reports whether only the leader may answer calls.
func (c *Cluster) needsLeader() bool { return c.conn.NodePreference == esdb.NodePreferenceLeader }

// seeds lists the addresses to ask for the cluster's members, in random order, and
// whether there is a cluster to ask about: a single address is simply dialled.
func (c *Cluster) seeds() (addresses []string, clustered bool) {
	if c.conn.DnsDiscover || len(c.conn.GossipSeeds) == 0 {
		return []string{c.conn.Address}, c.conn.DnsDiscover
	}
	for _, seed := range c.conn.GossipSeeds {
		addresses = append(addresses, net.JoinHostPort(seed.Host, strconv.Itoa(int(seed.Port))))
	}
	rand.Shuffle(len(addresses), func(i, j int) { addresses[i], addresses[j] = addresses[j], addresses[i] })
	return addresses, true
}

// dial prepares a connection; gRPC connects it at the first call.
func (c *Cluster) dial(address string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient(address, c.options...)
	if err != nil {
		return nil, fmt.Errorf("prepare a connection to %s: %w", address, err)
	}
	return conn, nil
}

// discover asks one seed after the other for the members and returns the address of
// the preferred one. It ends with ctx.
func (c *Cluster) discover(ctx context.Context) (string, error) {
	addresses, clustered := c.seeds()
	if !clustered {
		return addresses[0], nil
	}
	var errs []error
	for _, address := range addresses {
		members, err := c.gossip(ctx, address)
		if err == nil {
			var chosen string
			if chosen, err = choose(members, c.conn.NodePreference); err == nil {
				return chosen, nil
			}
		}
		errs = append(errs, fmt.Errorf("seed %s: %w", address, err))
		if ctx.Err() != nil {
			break
		}
	}
	return "", fmt.Errorf("find a node of the cluster: %w", errors.Join(errs...))
}

// gossip asks the node for the cluster's members.
func (c *Cluster) gossip(ctx context.Context, address string) ([]*gossip.MemberInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(c.conn.GossipTimeout, 1))*time.Second)
	defer cancel()
	conn, err := c.dial(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return nil, fmt.Errorf("read gossip: %w", err)
	}
	return info.GetMembers(), nil
}

// choose picks a living member in a state that serves clients: the preferred kind
// first, at random among equals.
func choose(members []*gossip.MemberInfo, preference esdb.NodePreference) (string, error) {
	var best *gossip.MemberInfo
	bestRank := 0
	for _, i := range rand.Perm(len(members)) {
		rank := rankOf(members[i].GetState(), preference)
		if members[i].GetIsAlive() && rank > bestRank {
			best, bestRank = members[i], rank
		}
	}
	if best == nil {
		return "", errors.New("none of the members serves clients: wait for the cluster to elect a leader")
	}
	at := best.GetHttpEndPoint()
	return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPort()))), nil
}

// rankOf returns how much a member in the state is preferred; 0 means that it is not used.
func rankOf(state gossip.MemberInfo_VNodeState, preference esdb.NodePreference) int {
	replica := state == gossip.MemberInfo_ReadOnlyReplica || state == gossip.MemberInfo_PreReadOnlyReplica ||
		state == gossip.MemberInfo_ReadOnlyLeaderless
	leader, follower := state == gossip.MemberInfo_Leader, state == gossip.MemberInfo_Follower
	switch {
	case preference == esdb.NodePreferenceLeader && leader,
		preference == esdb.NodePreferenceFollower && follower,
		preference == esdb.NodePreferenceReadOnlyReplica && replica:
		return 3
	case leader || follower:
		return 2
	case replica:
		return 1
	}
	return 0
}

// basic sends a user's name and password with every call, over TLS only.
type basic struct{ header map[string]string }

func basicAuth(user, password string) basic {
	token := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return basic{map[string]string{"authorization": "Basic " + token}}
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return b.header, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (b basic) RequireTransportSecurity() bool { return true }
