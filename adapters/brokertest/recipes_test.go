package brokertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/brokertest"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/postgres/postgrestest"
	"github.com/atonehq/atone/saga"
)

// recipe connects one process, a coordinator or a worker, with the broker.
type recipe func(t *testing.T, namespace string) (message.Publisher, message.Subscriber)

var quiet = watermill.NopLogger{}

func TestOverPostgres(t *testing.T) {
	t.Parallel()
	url, stop, missing := postgrestest.Start()
	if missing != "" {
		t.Skip("PostgreSQL is NOT tested: " + missing)
	}
	t.Cleanup(stop)
	theRecipeWorks(t, func(t *testing.T, namespace string) (message.Publisher, message.Subscriber) {
		pub, sub, err := brokertest.OverPostgres(t.Context(), url, namespace, []string{"charge", "ship"}, quiet)
		require.NoError(t, err)
		return pub, sub
	})
}

func TestOverRabbitMQ(t *testing.T) {
	t.Parallel()
	uri := startRabbitMQ(t)
	theRecipeWorks(t, func(t *testing.T, namespace string) (message.Publisher, message.Subscriber) {
		pub, sub, err := brokertest.OverRabbitMQ(uri, namespace, []string{"charge", "ship"}, quiet)
		require.NoError(t, err)
		return pub, sub
	})
}

func TestOverNATS(t *testing.T) {
	t.Parallel()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir()})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(2*time.Minute))
	theRecipeWorks(t, func(t *testing.T, namespace string) (message.Publisher, message.Subscriber) {
		pub, sub, err := brokertest.OverNATS(s.ClientURL(), namespace, []string{"charge", "ship"}, quiet)
		require.NoError(t, err)
		return pub, sub
	})
}

// startRabbitMQ starts a RabbitMQ of the test's own and returns its URI.
func startRabbitMQ(t *testing.T) string {
	if _, err := exec.LookPath("rabbitmq-server"); err != nil {
		t.Skip("RabbitMQ is NOT tested: rabbitmq-server is not installed")
	}
	port, dist := freePort(t), freePort(t)
	dir, err := os.MkdirTemp("", "rabbit") // short, and left to whoever RabbitMQ runs as
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd := exec.Command("rabbitmq-server")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("RABBITMQ_NODENAME=atone%d@localhost", port), fmt.Sprintf("RABBITMQ_NODE_PORT=%d", port),
		fmt.Sprintf("RABBITMQ_DIST_PORT=%d", dist), "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "data"),
		"RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"), "RABBITMQ_PID_FILE="+filepath.Join(dir, "pid"), "RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "none"))
	output, err := os.Create(filepath.Join(dir, "output"))
	require.NoError(t, err)
	defer output.Close()
	cmd.Stdout, cmd.Stderr = output, output
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { kill(filepath.Join(dir, "pid")); _ = cmd.Process.Kill(); <-ended })
	uri := fmt.Sprintf("amqp://guest:guest@127.0.0.1:%d/", port)
	for deadline := time.Now().Add(time.Minute); ; {
		if pub, _, err := brokertest.OverRabbitMQ(uri, "ready", nil, quiet); err == nil {
			require.NoError(t, pub.Close())
			return uri
		}
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(output.Name())
			require.NoError(t, err, "rabbitmq-server ended: %s", said)
		case <-time.After(200 * time.Millisecond):
		}
		require.True(t, time.Now().Before(deadline), "rabbitmq-server did not start")
	}
}

// kill ends the Erlang node whose process id the file has: rabbitmq-server is a script around it, which may
// have changed user and process group.
func kill(pidFile string) {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// world is the provider that the handlers call: effects by the do's key.
type world struct {
	mu      sync.Mutex
	effects map[string]int
}

func (w *world) change(key string, by int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if by > 0 {
		w.effects[key] = 1
	} else {
		delete(w.effects, key)
	}
}

func (w *world) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.effects)
}

var errOutOfStock = errors.New("out of stock")

// shop is charge (with an undo), then ship, which refuses every third order.
func shop(w *world) *saga.Saga[int, int] {
	retry := saga.Retry{MaxAttempts: 5, Initial: 10 * time.Millisecond}
	charge := &saga.Action[int, int]{Name: "charge", Retry: retry, UndoRetry: retry,
		Do: func(ctx context.Context, n int) (int, error) {
			w.change(saga.AttemptOf(ctx).Key, 1)
			if a := saga.AttemptOf(ctx); n%4 == 1 && a.Number == 1 {
				return 0, errors.New("the answer was lost")
			}
			return n, nil
		},
		Undo: func(ctx context.Context, did saga.Did[int, int]) error {
			w.change(strings.TrimSuffix(saga.AttemptOf(ctx).Key, "undo")+"do", -1)
			return nil
		}}
	ship := &saga.Action[int, int]{Name: "ship", Effect: saga.NoEffect, Retry: retry, Do: func(_ context.Context, n int) (int, error) {
		if n%3 == 0 {
			return 0, saga.Permanent(errOutOfStock)
		}
		return 10 * n, nil
	}}
	return saga.Define("shop", 1, func(f *saga.Flow, in saga.Ref[int]) saga.Ref[int] {
		return saga.Do(f, ship, saga.Do(f, charge, in.In).In)
	})
}

// theRecipeWorks runs two shops, each a coordinator on a log of its own with two workers, over one broker.
func theRecipeWorks(t *testing.T, connect recipe) {
	var shops sync.WaitGroup
	for _, namespace := range []string{"", "second"} {
		shops.Go(func() { aShopWorks(t, namespace, connect) })
	}
	shops.Wait()
}

func aShopWorks(t *testing.T, namespace string, connect recipe) {
	log := slog.New(slog.DiscardHandler)
	w := &world{effects: map[string]int{}}
	s := shop(w)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	pub, sub := connect(t, namespace)
	c, err := saga.New(saga.Config{Log: memlog.New(), Logger: log, Publisher: pub, Subscriber: sub, Namespace: namespace, NoWorker: true})
	if !noError(t, err) || !noError(t, c.Register(s)) {
		return
	}
	running.Go(func() { noError(t, c.Run(ctx)); _ = sub.Close(); _ = pub.Close() })
	for range 2 {
		pub, sub := connect(t, namespace)
		worker, err := saga.NewWorker(saga.WorkerConfig{Sagas: []saga.AnySaga{s}, Logger: log, Publisher: pub, Subscriber: sub, Namespace: namespace})
		if !noError(t, err) {
			return
		}
		running.Go(func() { noError(t, worker.Run(ctx)); _ = sub.Close(); _ = pub.Close() })
	}
	<-c.Ready()
	var runs sync.WaitGroup
	done := make([]bool, 24)
	for n := range done {
		runs.Go(func() {
			run, err := saga.Start(ctx, c, s, n, saga.Key(fmt.Sprint(n)))
			if !noError(t, err) {
				return
			}
			wait, cancel := context.WithTimeout(ctx, 2*time.Minute)
			defer cancel()
			out, err := run.Wait(wait)
			var undone *saga.CompensatedError
			if errors.Is(err, context.DeadlineExceeded) {
				v, err := c.Describe(ctx, run.ID)
				t.Errorf("%q: run %d did not end: %+v, %v", namespace, n, v.Steps, err)
				return
			}
			if n%3 == 0 {
				if !errors.As(err, &undone) {
					t.Errorf("%q: run %d ended with %v", namespace, n, err)
				}
				return
			}
			if noError(t, err) && out != 10*n {
				t.Errorf("run %d returned %d", n, out)
			}
			done[n] = true
		})
	}
	runs.Wait()
	completed := 0
	for _, d := range done {
		if d {
			completed++
		}
	}
	if completed != 16 || w.left() != completed {
		t.Errorf("%q: %d runs completed, %d effects are left", namespace, completed, w.left())
	}
}

// noError is require.NoError for goroutines other than the test's.
func noError(t *testing.T, err error) bool {
	if err != nil {
		t.Errorf("unexpected error: %v", err)
	}
	return err == nil
}
