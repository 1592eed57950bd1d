package esdbserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/internal/certtest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// guarded serves with TLS and one user of each role, named as the role, with password "secret".
func guarded(t *testing.T) (n *node, as func(user string) *esdb.Client) {
	t.Helper()
	cert := certtest.New(t)
	n = start(t, func(c *esdbserver.Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Pair}, MinVersion: tls.VersionTLS12}
		for _, role := range []esdbserver.Role{esdbserver.RoleReader, esdbserver.RoleApp, esdbserver.RoleAdmin, esdbserver.RoleCoordinator} {
			c.Users = append(c.Users, esdbserver.User{Name: string(role), Password: "secret", Role: role})
		}
	})
	return n, func(user string) *esdb.Client {
		if user != "" {
			user += "@"
		}
		return dial(t, fmt.Sprintf("esdb://%s%s?tlsCAFile=%s", user, n.addr, cert.CertFile))
	}
}

func TestEachRoleMayDoWhatItSays(t *testing.T) {
	t.Parallel()
	_, as := guarded(t)
	const ok, denied = true, false
	aRun, otherRun := domain.RunStream(uuid.New()), domain.RunStream(uuid.New())
	operations := map[string]func(ctx context.Context, c *esdb.Client, name string) error{
		"append": func(ctx context.Context, c *esdb.Client, name string) error {
			_, err := c.AppendToStream(ctx, name, esdb.AppendToStreamOptions{}, batch(1, "T")...)
			return err
		},
		"read": func(ctx context.Context, c *esdb.Client, name string) error {
			s, err := c.ReadStream(ctx, name, esdb.ReadStreamOptions{}, 1)
			if err != nil {
				return err
			}
			defer s.Close()
			if _, err = s.Recv(); err == io.EOF {
				err = nil
			}
			return err
		},
		"read all": func(ctx context.Context, c *esdb.Client, _ string) error {
			s, err := c.ReadAll(ctx, esdb.ReadAllOptions{}, 1)
			if err != nil {
				return err
			}
			defer s.Close()
			_, err = s.Recv()
			return err
		},
		"delete": func(ctx context.Context, c *esdb.Client, name string) error {
			_, err := c.DeleteStream(ctx, name, esdb.DeleteStreamOptions{ExpectedRevision: esdb.Any{}})
			return err
		},
		"metadata": func(ctx context.Context, c *esdb.Client, name string) error {
			_, err := c.SetStreamMetadata(ctx, name, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, esdb.StreamMetadata{})
			return err
		},
		"create group": func(ctx context.Context, c *esdb.Client, name string) error {
			return c.CreatePersistentSubscription(ctx, name, "g"+fmt.Sprint(time.Now().UnixNano()), esdb.PersistentStreamSubscriptionOptions{})
		},
	}
	rows := []struct {
		user, operation, stream string
		allowed                 bool
	}{
		{"", "read", "order-1", denied}, {"", "read all", "", denied}, {"", "append", "order-1", denied},
		{"reader", "read", "order-1", ok}, {"reader", "read", aRun, ok}, {"reader", "read all", "", ok},
		{"reader", "read", "$ce-order", ok}, {"reader", "read", "$users", denied},
		{"reader", "append", "order-1", denied}, {"reader", "delete", "order-1", denied}, {"reader", "create group", "order-1", denied},
		{"app", "read", "order-1", ok}, {"app", "append", "order-1", ok}, {"app", "append", "order-new", ok},
		{"app", "append", aRun, denied}, {"app", "append", "plan-" + strings.Repeat("0a", 32), denied}, {"app", "append", "saga-1", ok}, {"app", "append", "run-1", ok}, {"app", "append", "plan-b", ok}, {"app", "append", "snapshot-1", ok}, {"app", "append", "snapshot-" + uuid.NewString(), denied},
		{"app", "append", "atone-1", denied}, {"app", "append", "$system", denied}, {"app", "append", "$ce-order", denied},
		{"app", "delete", "order-1", denied}, {"app", "metadata", "order-1", denied}, {"app", "metadata", aRun, denied},
		{"app", "create group", "order-1", denied},
		{"admin", "append", "order-1", ok}, {"admin", "append", "$system", ok}, {"admin", "read", "$users", ok},
		{"admin", "append", aRun, denied}, {"admin", "delete", aRun, denied}, {"admin", "metadata", aRun, denied},
		{"admin", "metadata", "order-1", ok}, {"admin", "delete", "order-2", ok}, {"admin", "create group", "order-1", ok},
		{"coordinator", "append", aRun, ok}, {"coordinator", "metadata", otherRun, ok}, {"coordinator", "append", "order-1", ok},
	}
	ctx := within(t)
	for _, name := range []string{"order-1", "order-2", aRun, otherRun} {
		require.NoError(t, operations["append"](ctx, as("coordinator:secret"), name))
	}
	clients := map[string]*esdb.Client{"": as("")}
	for _, user := range []string{"reader", "app", "admin", "coordinator"} {
		clients[user] = as(user + ":secret")
	}
	for _, row := range rows {
		err := operations[row.operation](ctx, clients[row.user], row.stream)
		if row.allowed {
			require.NoError(t, err, "%+v", row)
		} else {
			require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err), "%+v: %v", row, err)
		}
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	_, as := guarded(t)
	for _, user := range []string{"admin:wrong", "nobody:secret"} {
		_, err := as(user).AppendToStream(within(t), "order-1", esdb.AppendToStreamOptions{}, batch(1, "T")...)
		require.Equal(t, esdb.ErrorCodeUnauthenticated, code(t, err))
	}
}

func TestAStreamsOwnACLTakesAccessAway(t *testing.T) {
	t.Parallel()
	_, as := guarded(t)
	ctx, app := within(t), as("app:secret")
	_, err := app.AppendToStream(ctx, "secret-1", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	meta := esdb.StreamMetadata{}
	acl := esdb.Acl{}
	acl.AddReadRoles("reader")
	acl.AddWriteRoles("$admins")
	meta.SetAcl(acl)
	_, err = as("admin:secret").SetStreamMetadata(ctx, "secret-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, meta)
	require.NoError(t, err)
	_, err = app.AppendToStream(ctx, "secret-1", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err))
	stream, err := app.ReadStream(ctx, "secret-1", esdb.ReadStreamOptions{}, 1)
	require.NoError(t, err)
	_, err = stream.Recv()
	require.Equal(t, esdb.ErrorCodeAccessDenied, code(t, err))
	stream, err = as("reader:secret").ReadStream(ctx, "secret-1", esdb.ReadStreamOptions{}, 1)
	require.Len(t, drainRead(t, stream, err), 1)
}

func TestPlaintextBeyondLoopbackIsRefused(t *testing.T) {
	t.Parallel()
	cert := certtest.New(t)
	secure := &tls.Config{Certificates: []tls.Certificate{cert.Pair}, MinVersion: tls.VersionTLS12}
	users := []esdbserver.User{{Name: "a", Password: "b", Role: esdbserver.RoleAdmin}}
	for _, cfg := range []esdbserver.Config{{}, {Users: users}, {TLS: secure}} {
		cfg.Log, cfg.Addr = memlog.New(), "0.0.0.0:0"
		server, err := esdbserver.New(cfg)
		require.NoError(t, err)
		require.ErrorContains(t, server.Run(within(t)), "TLS and users")
	}
}

func TestConfigurationErrorsAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := esdbserver.New(esdbserver.Config{
		MaxAppendSize: 20 << 20, Anonymous: "king", TailEvents: -1, Advertised: "here",
		Users: []esdbserver.User{{Name: "a", Password: "b", Role: "king"}, {Name: "a", Password: "b", Role: esdbserver.RoleApp}, {}},
	})
	for _, part := range []string{"Config.Log", "MaxAppendSize", "Anonymous", "Advertised", "limit below", "has the role", "given twice", "must not be empty"} {
		require.ErrorContains(t, err, part)
	}
}

func TestHTTPIsServedBesideGRPC(t *testing.T) {
	t.Parallel()
	plain := start(t)
	secure, _ := guarded(t)
	// A client that offers h2 as well, as browsers do, gets HTTP/1.1.
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the server is ours
	for _, base := range []string{"http://" + plain.addr, "https://" + secure.addr} {
		resp, err := client.Get(base + "/health/live")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		resp, err = client.Get(base + "/info")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Contains(t, string(body), esdbserver.ServerVersion)
		resp, err = client.Get(base + "/gossip")
		require.NoError(t, err)
		var gossip struct {
			Members []struct {
				State            string `json:"state"`
				HTTPEndPointPort int    `json:"httpEndPointPort"`
			} `json:"members"`
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&gossip))
		require.NoError(t, resp.Body.Close())
		require.Len(t, gossip.Members, 1)
		require.Equal(t, "Leader", gossip.Members[0].State)
		require.NotZero(t, gossip.Members[0].HTTPEndPointPort)
		resp, err = client.Get(base + "/nothing")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	}
}

func TestWhatSpeaksNoProtocolIsDropped(t *testing.T) {
	t.Parallel()
	n := start(t)
	for _, garbage := range []string{"", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff", "\x16\x03\x01hello", "GET / HTTP/1.1\r\n"} {
		conn, err := net.Dial("tcp", n.addr)
		require.NoError(t, err)
		_, err = io.Copy(conn, bytes.NewReader([]byte(garbage)))
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	_, err := n.client().AppendToStream(within(t), "s", esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
}
