package esdbserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/atonehq/atone/domain"
)

// Config says what a [Server] serves and to whom. Only Log is required.
type Config struct {
	// Log holds the events. The server never closes it.
	Log domain.Log
	// Addr is the TCP address that [Server.Run] listens on. Default "127.0.0.1:2113".
	Addr string

	// TLS makes the server speak TLS; its NextProtos are set by the server. nil means
	// plaintext, which is refused on any address but loopback.
	TLS *tls.Config
	// Users are those who may log in with a name and a password. Without users everybody is
	// Anonymous, which is refused on any address but loopback.
	Users []User
	// Anonymous is the role of callers that send no credentials. The default is
	// [RoleAdmin] without Users, else [RoleNone]. (The official Go client never sends
	// credentials over plaintext.)
	Anonymous Role
	// Reserved lists the beginnings of the names of streams that only [RoleCoordinator] may
	// append to or delete, whatever an ACL says. nil means the coordinator's own, by the exact
	// shapes of [domain.ReservedShape]; an empty list reserves nothing.
	Reserved []string

	// MaxAppendSize is how much data the events of one append may have, in bytes. As with the
	// original it counts their data only; metadata and types are bounded by MaxMessageSize, all
	// three together, for the whole append. Default 1 MiB. If Log is not a [domain.AppendBeginner],
	// the Log's own limit applies as well.
	MaxAppendSize int
	// MaxMessageSize is the largest gRPC message accepted, in bytes. It must leave room for an
	// append that is to be refused with an explanation. Default 16 MiB, as with the original.
	MaxMessageSize int
	// MaxSubscriptions is how many subscriptions, of both kinds together, may be open. Default
	// 10,000.
	MaxSubscriptions int
	// MaxSubscriptionsPerClient is how many of them one client may have. A client is a user;
	// without users it is a machine, and on this machine a connection. Default a quarter of
	// MaxSubscriptions, but at least 100 if MaxSubscriptions allows it.
	MaxSubscriptionsPerClient int
	// MaxConnections is how many connections may be open. Default 10,000.
	MaxConnections int
	// WriteTimeout is how long a batch may take from its first message to its final one, unless its
	// client names a shorter deadline. Default 2 s, as with the original.
	WriteTimeout time.Duration
	// CommitTimeout is how long a finished batch waits for the log. After that its client is told
	// that it timed out; whether it was written is then in doubt. Default 10 s.
	CommitTimeout time.Duration
	// TailEvents and TailBytes bound the newest events held in memory for all live
	// subscribers together. Default 4096 events and 32 MiB.
	TailEvents, TailBytes int
	// IDsRemembered is how many event ids are remembered to recognise repeated appends that
	// name no revision. Default 100,000.
	IDsRemembered int

	// Advertised is the host and port that gossip gives for this node. The default is the
	// address that the caller has dialled.
	Advertised string
	// Logger gets what an operator should know. Default [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Default [time.Now].
	Now func() time.Time
}

// maxAppendSize is what Config.MaxAppendSize may be at most: clients receive messages of up to
// 17 MiB, and an event has to be read back in one.
const maxAppendSize = 15 << 20

func (c *Config) setDefaults() {
	set(&c.Addr, "127.0.0.1:2113")
	set(&c.MaxAppendSize, 1<<20)
	set(&c.MaxMessageSize, 16<<20)
	set(&c.MaxSubscriptions, 10_000)
	set(&c.MaxSubscriptionsPerClient, min(c.MaxSubscriptions, max(100, c.MaxSubscriptions/4)))
	set(&c.MaxConnections, 10_000)
	set(&c.WriteTimeout, 2*time.Second)
	set(&c.CommitTimeout, 10*time.Second)
	set(&c.TailEvents, 4096)
	set(&c.TailBytes, 32<<20)
	set(&c.IDsRemembered, 100_000)
	set(&c.Logger, slog.Default())
	if c.Anonymous == "" {
		c.Anonymous = RoleNone
		if len(c.Users) == 0 {
			c.Anonymous = RoleAdmin
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports everything that is wrong with the configuration, after defaults.
func (c Config) Validate() error {
	c.setDefaults()
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("esdbserver: "+format, args...)) }
	if c.Log == nil {
		fail("Config.Log is required")
	}
	if c.MaxAppendSize < 1 || c.MaxAppendSize > maxAppendSize {
		fail("Config.MaxAppendSize is %d: choose 1 to %d", c.MaxAppendSize, maxAppendSize)
	}
	if c.MaxMessageSize < c.MaxAppendSize+1<<20 {
		fail("Config.MaxMessageSize is %d: it must be at least 1 MiB more than MaxAppendSize", c.MaxMessageSize)
	}
	if c.MaxSubscriptions < 1 || c.MaxSubscriptionsPerClient < 1 || c.MaxConnections < 1 || c.TailEvents < 1 || c.TailBytes < 1 || c.IDsRemembered < 4 || c.WriteTimeout < 0 || c.CommitTimeout < 0 {
		fail("Config has a limit below its minimum: leave it zero for the default")
	}
	if !c.Anonymous.known() {
		fail("Config.Anonymous is %q: choose one of the roles", c.Anonymous)
	}
	if _, _, ok := splitAddress(c.Advertised); c.Advertised != "" && !ok {
		fail("Config.Advertised is %q: give a host and a port", c.Advertised)
	}
	names := map[string]bool{}
	for _, u := range c.Users {
		switch {
		case u.Name == "" || u.Password == "":
			fail("user %q: name and password must not be empty", u.Name)
		case !u.Role.known():
			fail("user %q has the role %q: choose one of the roles", u.Name, u.Role)
		case names[u.Name]:
			fail("user %q is given twice", u.Name)
		}
		names[u.Name] = true
	}
	return errors.Join(errs...)
}
