package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/atonehq/atone/adapters/eventstoredb/internal/nodes"
	"github.com/atonehq/atone/adapters/eventstoredb/internal/wire"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/atonehq/atone/domain"
)

// healthStream is a stream that nobody writes; reading it proves that the cluster answers.
const healthStream = "atone-health"

// Log is an event log in an EventStoreDB or KurrentDB cluster. It implements
// [domain.Log] and is safe to call concurrently.
//
// Events of system streams (those whose names begin with "$") are left out of ReadAll,
// ReadAllBackward and Subscribe unless a prefix of the filter begins with "$".
type Log struct {
	cfg     Config
	cluster *nodes.Cluster

	appends, reads *nodes.Pool
	lanes          []*lane // of appends that share a call

	flights flights
	ways    ways
	told    told
	silence silence

	life context.Context // ends, with cause ErrClosed, when the log is closed
	end  context.CancelCauseFunc
}

var _ domain.Log = (*Log)(nil)

// Open prepares a log on the cluster that the configuration names. It reads the
// connection string and the certificates but dials nothing: connections are made when
// they are first needed, and a cluster that is down makes the first call wait. Use
// [Log.Health] to know that the cluster answers. The caller closes the log.
func Open(cfg Config) (*Log, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("eventstoredb: invalid configuration: %w", err)
	}
	conn, err := cfg.parse()
	if err != nil {
		return nil, fmt.Errorf("eventstoredb: invalid configuration: %w", err)
	}
	cfg.setDefaults(conn)
	c, err := nodes.NewCluster(conn, cfg.RetryInitial, cfg.RetryMax, cfg.DialOptions)
	if err != nil {
		return nil, fmt.Errorf("eventstoredb: %w", err)
	}
	l := &Log{cfg: cfg, cluster: c}
	l.life, l.end = context.WithCancelCause(context.Background())
	l.appends = &nodes.Pool{Open: l.newLink, Limit: cfg.AppendConnections}
	if cfg.UnaryAppends {
		l.ways.refuse()
	}
	for range max(cfg.AppendConnections/2, 1) {
		l.lanes = append(l.lanes, newLane(l, l.newLink()))
	}
	// a consumer may start a read inside a read: with a limit they would deadlock
	l.reads = &nodes.Pool{Open: l.newLink}
	return l, nil
}

// Close ends all calls with [domain.ErrClosed] and closes the connections. It may be
// called more than once and always returns nil.
func (l *Log) Close() error {
	l.end(domain.ErrClosed)
	l.reads.Close()
	l.appends.Close()
	for _, n := range l.lanes {
		n.close()
	}
	return nil
}

// Health returns nil if the cluster seems to take appends, else what is wrong. It appends nothing.
// While appends hang (see [Log.Silence]) it fails without asking; else it reads from the leader: a
// leader without a majority soon refuses reads too. It makes one attempt (a second where a node
// names the leader), bounded by ctx and [Config.AttemptTimeout], so that it fits a readiness probe.
func (l *Log) Health(ctx context.Context) error {
	ctx, unbind := l.bind(ctx)
	defer unbind()
	if silent := l.Silence(); silent > silentTooLong {
		return fmt.Errorf("eventstoredb is not ready: no append was answered for %s", silent.Round(time.Millisecond))
	}
	timed, cancel := context.WithTimeout(ctx, l.cfg.AttemptTimeout)
	defer cancel()
	at, err := l.appends.Pick(0)
	if err != nil {
		return fmt.Errorf("eventstoredb is not ready: %w", err)
	}
	ask := func(ctx context.Context, s *nodes.Session) error {
		return readOnce(ctx, s, at.Outgoing(ctx, true), wire.StreamRequest(healthStream, 0, api.ReadReq_Options_Forwards, 1),
			func(*wire.Answer) bool { return true })
	}
	err = nodes.Attempt(timed, at, ask)
	var elsewhere *nodes.TransientError
	if errors.As(err, &elsewhere) && elsewhere.Leader != "" {
		err = nodes.Attempt(timed, at, ask)
	}
	if err == nil {
		return nil
	}
	if cause := nodes.Ended(ctx, nil); cause != nil {
		err = cause
	}
	return fmt.Errorf("eventstoredb is not ready: %w", err)
}

// silentTooLong is longer than an election takes if nothing else is wrong (measured: 0.9 s).
const silentTooLong = 2 * time.Second
