package eventstoredb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/domain"
)

// certificate makes a certificate for 127.0.0.1 that is its own authority, and returns it
// with the name of a file that holds it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func TestConnectionOverTLSWithUsersAndDiscovery(t *testing.T) {
	t.Parallel()
	own, ca := certificate(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	node, err := esdbserver.New(esdbserver.Config{Log: memlog.New(), Logger: silent, TLS: &tls.Config{Certificates: []tls.Certificate{own}},
		Users: []esdbserver.User{{Name: "atone", Password: "p@ss:word", Role: esdbserver.RoleCoordinator}, {Name: "app", Password: "secret", Role: esdbserver.RoleApp}}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	serving, stop := context.WithCancel(context.Background())
	go func() { ended <- node.Serve(serving, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	address := listener.Addr().String()
	connect := func(scheme, hosts, user, password string) *eventstoredb.Log {
		return openLog(t, scheme+"://"+url.UserPassword(user, password).String()+"@"+hosts+"?tlsCaFile="+url.QueryEscape(ca))
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
