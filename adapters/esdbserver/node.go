package esdbserver

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"

	"github.com/atonehq/atone/adapters/esdbserver/internal/wire"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// ServerVersion is the version of KurrentDB whose protocol is spoken. Clients decide by it, and by
// the list of methods, what to ask of a server.
const ServerVersion = "25.1.0"

// featuresService tells clients what the server can do.
type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
}

// GetSupportedMethods lists every method served, in the lower case that clients compare with.
func (*featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	out := &serverfeatures.SupportedMethods{EventStoreServerVersion: ServerVersion}
	add := func(service string, features []string, methods ...string) {
		for _, m := range methods {
			out.Methods = append(out.Methods, &serverfeatures.SupportedMethod{ServiceName: service, MethodName: m, Features: features})
		}
	}
	const streams = "event_store.client.streams.streams"
	add(streams, nil, "append", "delete", "tombstone")
	add(streams, []string{"position", "events"}, "read")
	add(streams, []string{"deadline_duration"}, "batchappend")
	add("event_store.client.persistent_subscriptions.persistentsubscriptions", []string{"stream", "all"},
		"create", "update", "delete", "read", "getinfo", "replayparked", "list", "restartsubsystem")
	add("event_store.client.gossip.gossip", nil, "read")
	add("event_store.client.server_features.serverfeatures", nil, "getsupportedmethods")
	return out, nil
}

// gossipService tells clients which node leads: this one.
type gossipService struct {
	gossip.UnimplementedGossipServer
	server *Server
}

// Read returns one member, the leader, at the address that the caller has dialled.
func (g *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	host, port := g.server.addressFor(ctx)
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId: wire.ToUUID(g.server.node, true), TimeStamp: wire.Ticks(g.server.cfg.Now()),
		State: gossip.MemberInfo_Leader, IsAlive: true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: port},
	}}}, nil
}

// addressFor returns where the caller reaches this node: the configured address, else the name that
// it dialled, else the address that its connection arrived at.
func (s *Server) addressFor(ctx context.Context) (string, uint32) {
	if host, port, ok := splitAddress(s.cfg.Advertised); ok {
		return host, port
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if authority := md.Get(":authority"); len(authority) > 0 {
		if host, port, ok := splitAddress(authority[0]); ok {
			return host, port
		}
	}
	if p, ok := peer.FromContext(ctx); ok && p.LocalAddr != nil {
		if host, port, ok := splitAddress(p.LocalAddr.String()); ok {
			return host, port
		}
	}
	return "127.0.0.1", 2113
}

func splitAddress(addr string) (string, uint32, bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" {
		return "", 0, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return host, uint32(n), err == nil
}

// httpHandler answers the few HTTP/1 requests that clients and health checks make.
func (s *Server) httpHandler() http.Handler {
	mux := http.NewServeMux()
	healthy := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
	mux.HandleFunc("GET /health/live", healthy)
	mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]any{"msgTypeId": 123, "text": "Ping request successfully handled", "label": "Http"})
	})
	mux.HandleFunc("GET /gossip", func(w http.ResponseWriter, r *http.Request) {
		host, port, ok := splitAddress(s.cfg.Advertised)
		if !ok {
			host, port, _ = splitAddress(r.Host)
		}
		writeJSON(w, map[string]any{
			"members": []map[string]any{{
				"instanceId": s.node, "timeStamp": s.cfg.Now().UTC(), "state": "Leader", "isAlive": true,
				"httpEndPointIp": host, "httpEndPointPort": port, "esVersion": ServerVersion,
			}},
			"serverIp": host, "serverPort": port,
		})
	})
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, _ *http.Request) {
		authentication := "basic"
		if len(s.cfg.Users) == 0 {
			authentication = "insecure"
		}
		writeJSON(w, map[string]any{
			"dbVersion": ServerVersion, "esVersion": ServerVersion, "state": "leader",
			"features":       map[string]any{"projections": false, "userManagement": false, "atomPub": false},
			"authentication": map[string]any{"type": authentication, "properties": map[string]any{}},
		})
	})
	return mux
}

func writeJSON(w http.ResponseWriter, content any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	// An error here means that the client has left.
	_ = json.NewEncoder(w).Encode(content)
}
