package esdbserver_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/internal/certtest"
	"github.com/atonehq/atone/adapters/memlog"
)

// The requests that were recorded with a real server are sent to ours, and the answers
// compared. What differs on purpose stands in [onPurpose], with its reason.
func TestRecordedCallsAreAnsweredAsByARealServer(t *testing.T) {
	t.Parallel()
	used := &usedDifferences{}
	t.Run("scenarios", func(t *testing.T) {
		for name, rec := range recordings(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var clock atomic.Int64
				n, conn := startAsRecorded(t, rec, &clock)
				r := newReplay(t, rec, n, conn, &clock)
				r.run()
				r.compare(used)
			})
		}
	})
	if *wireDir == recordedWire {
		used.requireAll(t)
	}
}

// startAsRecorded starts a server as the recording's was: in plaintext, or with TLS and users.
func startAsRecorded(t *testing.T, rec *recording, clock *atomic.Int64) (*node, *grpc.ClientConn) {
	t.Helper()
	secure := strings.HasPrefix(rec.About, "TLS.")
	cert := certtest.New(t)
	began := time.Now()
	now := func() time.Time { return began.Add(time.Duration(clock.Load())) }
	n := start(t, func(c *esdbserver.Config) {
		c.Now, c.Log = now, memlog.NewWithConfig(memlog.Config{Now: now})
		if secure {
			c.TLS = &tls.Config{Certificates: []tls.Certificate{cert.Pair}, MinVersion: tls.VersionTLS12}
			c.Users = []esdbserver.User{
				{Name: "admin", Password: "changeit", Role: esdbserver.RoleAdmin},
				{Name: "app", Password: "Secret1!", Role: esdbserver.RoleApp},
			}
		}
	})
	creds := insecure.NewCredentials()
	if secure {
		pem, err := os.ReadFile(cert.CertFile)
		require.NoError(t, err)
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(pem))
		creds = credentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient(n.addr, grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20), grpc.MaxCallRecvMsgSize(64<<20)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return n, conn
}

// compare judges every call of the replay by the recorded one.
func (r *replay) compare(used *usedDifferences) {
	r.learnOurs()
	for _, c := range r.rec.Calls {
		live := r.calls[c]
		if live == nil {
			continue
		}
		if live.skipped != "" {
			r.differ(used, c, "not made", live.skipped, "")
			continue
		}
		r.compareAnswers(used, c, live)
		r.compareCheckpoints(used, c, live)
		r.compareStatus(used, c, live)
	}
}

// compareAnswers compares everything but checkpoints, in order. Where the real server's own
// events took places of those asked for, or the recording leaves answers out, only what
// comes before is compared.
func (r *replay) compareAnswers(used *usedDifferences, c *recordedCall, live *replayedCall) {
	var theirs []string
	partial := false
	for i, f := range c.Log {
		if f.Elided > 0 && i > 0 && c.Log[i-1].Res != nil {
			partial = true
			break
		}
		if f.Res == nil {
			continue
		}
		msg := live.method.res()
		unmarshalWire(r.t, f.Res, msg)
		canonical, err := protojson.Marshal(msg)
		require.NoError(r.t, err)
		if tree := decoded(canonical); r.comparable(tree) {
			theirs = append(theirs, r.line(tree, r.theirs))
		} else if ownEvent(tree, r.named) {
			partial = true
		}
	}
	var ours []string
	for _, tree := range live.answers() {
		if r.comparable(tree) {
			ours = append(ours, r.line(tree, r.ours))
		}
	}
	if partial {
		n := min(len(theirs), len(ours))
		theirs, ours = theirs[:n], ours[:n]
	}
	for i := range max(len(theirs), len(ours)) {
		var a, b string
		if i < len(theirs) {
			a = theirs[i]
		}
		if i < len(ours) {
			b = ours[i]
		}
		if a != b {
			r.differ(used, c, fmt.Sprintf("answer %d", i), a, b)
		}
	}
}

func (r *replay) line(tree any, p *places) string {
	data, err := json.Marshal(p.normalise(tree, r.known))
	require.NoError(r.t, err)
	return string(data)
}

// compareCheckpoints compares what of checkpoints is the same on every server: whether any came
// before CaughtUp. Where 24.2.0 says 2^64-1, or the beginning of the page that it has read, ours
// says what has been seen, as 25.1 does.
func (r *replay) compareCheckpoints(used *usedDifferences, c *recordedCall, live *replayedCall) {
	theirs, ours := []any{}, live.answers()
	for _, f := range c.Log {
		if f.Elided > 0 {
			return
		}
		if f.Res != nil {
			theirs = append(theirs, decoded(f.Res))
		}
	}
	if a, b := checkpointBeforeLive(theirs), checkpointBeforeLive(ours); a != b {
		r.differ(used, c, "a checkpoint before CaughtUp", fmt.Sprint(a), fmt.Sprint(b))
	}
	seen := uint64(0)
	for _, tree := range ours {
		if read, ok := mapIn(tree, "event"); ok {
			seen = wireNumber(read["commitPosition"])
		}
		if checkpoint, ok := mapIn(tree, "checkpoint"); ok {
			at := wireNumber(checkpoint["commitPosition"])
			require.GreaterOrEqual(r.t, at, seen, "%v: a checkpoint before an event that was sent", c)
			require.Equal(r.t, at, wireNumber(checkpoint["preparePosition"]), "%v", c)
			seen = at
		}
	}
}

func checkpointBeforeLive(answers []any) bool {
	for _, tree := range answers {
		m, _ := tree.(map[string]any)
		if m["checkpoint"] != nil {
			return true
		}
		if m["caughtUp"] != nil {
			return false
		}
	}
	return false
}

// compareStatus compares how the call ended: by itself or not, and with what.
func (r *replay) compareStatus(used *usedDifferences, c *recordedCall, live *replayedCall) {
	switch {
	case c.Status == nil:
		return
	case c.Status.Local != live.cancelled:
		r.differ(used, c, "who ended the call", fmt.Sprintf("client: %v", c.Status.Local), fmt.Sprintf("client: %v, %v", live.cancelled, live.status))
		return
	case c.Status.Local:
		return
	}
	if a, b := c.Status.Code, int(live.status.Code()); a != b {
		r.differ(used, c, "code", fmt.Sprintf("%d %s", a, c.Status.Message), fmt.Sprintf("%d %s", b, live.status.Message()))
		return
	}
	if a, b := c.Status.Message, live.status.Message(); a != b {
		r.differ(used, c, "message", a, b)
	}
	trailers := map[string]string{}
	for k, v := range live.trailers {
		if k != "content-type" && k != "date" && k != "server" {
			trailers[k] = strings.Join(v, ",")
		}
	}
	if len(c.Status.Trailers) != 0 || len(trailers) != 0 {
		a, err := json.Marshal(c.Status.Trailers)
		require.NoError(r.t, err)
		b, err := json.Marshal(trailers)
		require.NoError(r.t, err)
		if string(a) != string(b) {
			r.differ(used, c, "trailers", string(a), string(b))
		}
	}
}

// differ reports a difference unless it is there on purpose.
func (r *replay) differ(used *usedDifferences, c *recordedCall, what, theirs, ours string) {
	if !used.excuse(&seen{r.rec, c, what, theirs, ours}) {
		r.t.Errorf("%v: %s\nreal: %.1500s\nours: %.1500s", c, what, theirs, ours)
	}
}
