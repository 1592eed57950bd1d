package eventstoredb

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc"
)

// Defaults of [Config].
const (
	DefaultAppendConnections = 4
	DefaultAttemptTimeout    = 10 * time.Second
	DefaultRetryInitial      = 50 * time.Millisecond
	DefaultRetryMax          = 2 * time.Second
	DefaultLagTimeout        = 5 * time.Second
	DefaultProgressEvery     = time.Minute
)

// Config says how a [Log] reaches its cluster.
type Config struct {
	// Connection is the client's connection string, for example
	// esdb://user:password@db.example:2113, esdb://a:2113,b:2113,c:2113 (seeds of a cluster) or
	// esdb+discover://cluster.example:2113 (seeds by DNS). Its settings tls, tlsCaFile,
	// tlsVerifyCert, userCertFile, userKeyFile, nodePreference, gossipTimeout (seconds),
	// keepAliveInterval, keepAliveTimeout and defaultDeadline (milliseconds) are honoured;
	// maxDiscoverAttempts and discoveryInterval are not, because discovery is repeated for as long
	// as the caller waits. With tls=false no credentials are sent, so that no password can be read
	// from the wire. Required.
	Connection string

	// AppendConnections is the largest number of connections for appends that are calls of their
	// own: another one is opened while 64 calls are under way on each of the others. Appends that
	// share a call (see UnaryAppends) have half as many connections, and at least one. Zero means
	// [DefaultAppendConnections]. Reads have connections of their own, and each subscription has
	// one.
	AppendConnections int

	// AttemptTimeout bounds one attempt of an append; after it the same batch is sent again.
	// Zero means the connection string's defaultDeadline or else [DefaultAttemptTimeout].
	AttemptTimeout time.Duration

	// RetryInitial and RetryMax are the first and the longest pause between attempts; pauses
	// grow by half and vary at random. Zero means [DefaultRetryInitial] and [DefaultRetryMax].
	RetryInitial, RetryMax time.Duration

	// LagTimeout is how long a read of a stream waits for a revision that the server has announced
	// to this process, by a conflict or an acknowledgement, and does not show yet. After it the
	// read fails. Zero means [DefaultLagTimeout]; servers were seen to lag by up to 0.2 s.
	LagTimeout time.Duration

	// ProgressEvery is how often a subscription is renewed if the server does not tell how far it
	// looked. It bounds what such a subscription reads again after a restart. Zero means
	// [DefaultProgressEvery].
	ProgressEvery time.Duration

	// UnaryAppends sends each append as a call of its own, even where the server takes many in one
	// call (BatchAppend), which is cheaper for both sides. For comparisons, and for servers whose
	// BatchAppend is faulty.
	UnaryAppends bool

	// DialOptions are added to those of every connection, after the package's own: for
	// interceptors, statistics, or a dialler. Nil adds none.
	DialOptions []grpc.DialOption

	// Logger is told of lost connections and nodes. Nil means [slog.Default].
	Logger *slog.Logger
}

// setDefaults replaces zero values; conn may be nil where the string does not parse.
func (c *Config) setDefaults(conn *esdb.Configuration) {
	if c.AppendConnections == 0 {
		c.AppendConnections = DefaultAppendConnections
	}
	if c.AttemptTimeout == 0 && conn != nil && conn.DefaultDeadline != nil {
		c.AttemptTimeout = *conn.DefaultDeadline
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = DefaultAttemptTimeout
	}
	if c.RetryInitial == 0 {
		c.RetryInitial = DefaultRetryInitial
	}
	if c.RetryMax == 0 {
		c.RetryMax = max(DefaultRetryMax, c.RetryInitial)
	}
	setIfZero(&c.LagTimeout, DefaultLagTimeout)
	setIfZero(&c.ProgressEvery, DefaultProgressEvery)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

// Validate reports everything that is wrong with the settings, joined.
func (c Config) Validate() error {
	_, err := c.parse()
	c.setDefaults(nil)
	var errs []error
	if err != nil {
		errs = append(errs, err)
	}
	if c.AppendConnections < 0 {
		errs = append(errs, errors.New("AppendConnections is negative: give the number of connections, or 0 for the default"))
	}
	if c.AttemptTimeout < 0 {
		errs = append(errs, errors.New("AttemptTimeout is negative: give the time one attempt may take, or 0 for the default"))
	}
	if c.RetryInitial < 0 || c.RetryMax < c.RetryInitial {
		errs = append(errs, errors.New("RetryInitial must be positive and RetryMax at least as long"))
	}
	if c.LagTimeout < 0 || c.ProgressEvery < 0 {
		errs = append(errs, errors.New("LagTimeout and ProgressEvery must be positive, or 0 for the default"))
	}
	return errors.Join(errs...)
}

// parse reads the connection string.
func (c Config) parse() (*esdb.Configuration, error) {
	if c.Connection == "" {
		return nil, errors.New("connection is empty: give a connection string such as esdb://localhost:2113?tls=false")
	}
	conn, err := esdb.ParseConnectionString(c.Connection)
	if err != nil && !strings.Contains(err.Error(), "@") {
		return nil, fmt.Errorf("connection: %w", err)
	}
	if err != nil {
		// The error quotes the string, and with it the password.
		return nil, errors.New("connection is not a connection string: write it as esdb://[user:password@]host:port[,host:port…][?tls=false]")
	}
	if err := conn.Validate(); err != nil {
		return nil, fmt.Errorf("connection: %w", err)
	}
	return conn, nil
}

func setIfZero[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
