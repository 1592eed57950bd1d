package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

var quiet = slog.New(slog.DiscardHandler)

// engine names the log that a scenario runs on: empty means the embedded log, "esdb" atone's own
// EventStoreDB server over the embedded log, and a connection string a cluster.
type engine string

const (
	embedded engine = ""
	served   engine = "esdb"
)

func (e engine) name() string {
	switch e {
	case embedded:
		return "embedded"
	case served:
		return "atone's EventStoreDB server over the embedded log, same process"
	}
	return "EventStoreDB"
}

// open returns the log, its connection string if it has one, and a function that closes the log and
// everything that was opened for it.
func (e engine) open(dir string) (_ domain.Log, connection string, _ func() error, _ error) {
	connection = string(e)
	closeAll := func() error { return nil }
	if e == embedded || e == served {
		log, err := pebblelog.Open(filepath.Join(dir, "log"), pebblelog.Config{Logger: quiet})
		if err != nil || e == embedded {
			return log, "", log.Close, err
		}
		address, stop, err := serve(log)
		if err != nil {
			return nil, "", nil, errors.Join(err, log.Close())
		}
		connection = "esdb://" + address + "?tls=false"
		closeAll = func() error { return errors.Join(stop(), log.Close()) }
	}
	log, err := eventstoredb.Open(eventstoredb.Config{Connection: connection, Logger: quiet})
	if err != nil {
		return nil, "", nil, errors.Join(fmt.Errorf("--log: %w", err), closeAll())
	}
	return log, connection, func() error { return errors.Join(log.Close(), closeAll()) }, nil
}

// serve serves a log to EventStoreDB clients on a free port of this machine.
func serve(log domain.Log) (address string, stop func() error, err error) {
	server, err := esdbserver.New(esdbserver.Config{Log: log, Reserved: []string{}, Logger: quiet})
	if err != nil {
		return "", nil, err
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for EventStoreDB clients: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, lis) }()
	return lis.Addr().String(), func() error { cancel(); return <-ended }, nil
}

// config returns a coordinator's configuration for the log. On a cluster the coordinator shares its
// runs with others.
func (e engine) config() saga.Config {
	return saga.Config{Logger: quiet, Shared: e != embedded, Node: "bench"}
}
