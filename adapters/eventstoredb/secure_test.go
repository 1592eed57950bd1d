package eventstoredb_test

import (
	"context"
	"crypto/tls"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/esdbserver/esdbtest"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/internal/certtest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

func TestConnectionOverTLSWithUsersAndDiscovery(t *testing.T) {
	t.Parallel()
	own := certtest.New(t)
	node := esdbtest.Start(t, esdbserver.Config{Log: memlog.New(), TLS: &tls.Config{Certificates: []tls.Certificate{own.Pair}, MinVersion: tls.VersionTLS12},
		Users: []esdbserver.User{{Name: "atone", Password: "p@ss:word", Role: esdbserver.RoleCoordinator}, {Name: "app", Password: "secret", Role: esdbserver.RoleApp}}})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	address := node.Addr
	connect := func(scheme, hosts, user, password string) *eventstoredb.Log {
		return openLog(t, scheme+"://"+url.UserPassword(user, password).String()+"@"+hosts+"?tlsCaFile="+url.QueryEscape(own.CertFile))
	}
	append1 := func(log *eventstoredb.Log, stream string) error {
		_, err := log.Append(ctx, stream, domain.AnyRevision, domain.NewEvent{ID: uuid.New(), Type: "t", Data: []byte(`{}`)})
		return err
	}
	for name, log := range map[string]*eventstoredb.Log{
		"one address":       connect("esdb", address, "atone", "p@ss:word"),
		"seeds of gossip":   connect("esdb", address+","+address, "atone", "p@ss:word"),
		"discovery by name": connect("esdb+discover", address, "atone", "p@ss:word"),
	} {
		require.NoError(t, log.Health(ctx), name)
		require.NoError(t, append1(log, "run-1"), name)
	}
	app := connect("esdb", address, "app", "secret")
	require.NoError(t, append1(app, "orders-1"))
	require.ErrorIs(t, append1(app, "atone-1"), domain.ErrAccessDenied)
	require.ErrorIs(t, append1(connect("esdb", address, "app", "wrong"), "orders-1"), domain.ErrAccessDenied)

	// The app may not create a group, but take from one that the coordinator created.
	worker := eventstoredb.SubscriberConfig{Group: "workers"}
	asApp, err := eventstoredb.NewSubscriber(app, worker)
	require.NoError(t, err)
	defer asApp.Close()
	_, err = asApp.Subscribe(ctx, "orders-1")
	require.ErrorIs(t, err, domain.ErrAccessDenied)
	asCoordinator, err := eventstoredb.NewSubscriber(connect("esdb", address, "atone", "p@ss:word"), worker)
	require.NoError(t, err)
	require.NoError(t, asCoordinator.SubscribeInitialize("orders-1"))
	messages, err := asApp.Subscribe(ctx, "orders-1")
	require.NoError(t, err)
	(<-messages).Ack()

	unknown := openLog(t, "esdb://app:secret@"+address) // does not know the authority
	impatient, giveUp := context.WithTimeout(ctx, 5*time.Second)
	defer giveUp()
	require.ErrorContains(t, unknown.Health(impatient), "certificate")
}
