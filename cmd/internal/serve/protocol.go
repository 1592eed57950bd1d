package serve

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/host"
)

// protocol serves the embedded log over the EventStoreDB protocol.
type protocol struct {
	env                    *access.Env
	addr, users, cert, key string
	maxAppend              int

	config esdbserver.Config
}

func (p *protocol) addFlags(f *pflag.FlagSet) {
	f.StringVar(&p.addr, "esdb-listen", "", "serve the log over the EventStoreDB protocol on this address, for example 127.0.0.1:2113")
	f.StringVar(&p.users, "esdb-users", "", `JSON file with its users: [{"name": "shop", "password": "…", "role": "app"}], roles reader, app, admin, and coordinator for the --log of other nodes`)
	f.StringVar(&p.cert, "esdb-tls-cert", "", "PEM certificate for the EventStoreDB protocol")
	f.StringVar(&p.key, "esdb-tls-key", "", "PEM key for the EventStoreDB protocol")
	f.IntVar(&p.maxAppend, "esdb-max-append-size", 1<<20, "most bytes of data in one append over the EventStoreDB protocol, at most 15 MiB; metadata and types do not count")
}

func (p *protocol) prepare(_ context.Context, log host.Log, s *host.Setup) error {
	if p.addr == "" {
		return nil
	}
	if _, embedded := log.(*pebblelog.Log); !embedded {
		return console.UsageError{Err: errors.New("--esdb-listen serves the embedded log; with --log the cluster serves the protocol itself")}
	}
	p.config = esdbserver.Config{Log: log, Addr: p.addr, Logger: s.Config.Logger, MaxAppendSize: p.maxAppend}
	if p.users != "" {
		users, err := readUsers(p.users)
		if err != nil {
			return console.UsageError{Err: err}
		}
		p.config.Users = users
		if err := share(users, s); err != nil {
			return err
		}
	}
	if p.cert != "" || p.key != "" {
		pair, err := tls.LoadX509KeyPair(p.cert, p.key)
		if err != nil {
			return console.UsageError{Err: fmt.Errorf("--esdb-tls-cert and --esdb-tls-key: %w", err)}
		}
		p.config.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if err := p.config.Validate(); err != nil {
		return console.UsageError{Err: err}
	}
	return nil
}

// share tells the coordinator whether other coordinators may use its log.
func share(users []esdbserver.User, s *host.Setup) error {
	coordinator := func(u esdbserver.User) bool { return u.Role == esdbserver.RoleCoordinator }
	if !slices.ContainsFunc(users, coordinator) {
		return nil
	}
	if s.Config.Node == "" {
		return console.UsageError{Err: errors.New("--esdb-users lets other coordinators share the log: give every coordinator, this one included, its own name with --node")}
	}
	s.Config.Shared = true
	return nil
}

// readUsers reads the file of --esdb-users.
func readUsers(file string) ([]esdbserver.User, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--esdb-users: %w", err)
	}
	var list []struct {
		Name     string          `json:"name"`
		Password string          `json:"password"`
		Role     esdbserver.Role `json:"role"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("--esdb-users %s: %w", file, err)
	}
	users := make([]esdbserver.User, 0, len(list))
	for _, u := range list {
		users = append(users, esdbserver.User{Name: u.Name, Password: u.Password, Role: u.Role})
	}
	return users, nil
}

func (p *protocol) run(ctx context.Context, n *host.Node) error {
	if p.addr == "" {
		return nil
	}
	server, err := esdbserver.New(p.config)
	if err != nil {
		return err
	}
	n.Logger.Info("EventStoreDB protocol", "address", p.addr)
	return server.Run(ctx)
}
