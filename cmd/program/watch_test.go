package program

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/httpapi/auth"
)

// TestListsAreFollowed follows the runs and the audit through a server, as programs do and as
// people do.
func TestListsAreFollowed(t *testing.T) {
	t.Parallel()
	url, tokens := testServer(t)
	secret := testToken(t, tokens, "tester", auth.Admin)
	at := []string{"--server", url, "--token", secret}
	r := commandLine(func(args ...string) (string, string, Exit) { return remotely(t, append(args, at...)...) })
	r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "old")
	for _, c := range []struct {
		args []string
		// ready is seen first; where nothing is, the command says so.
		ready string
		want  []string
	}{
		{[]string{"runs", "--watch", "-o", "ndjson", "--state", "running", "--saga", "patient"}, `{"list":[{`, []string{`{"run":{`, `"key":"new"`, `{"gone":"`}},
		{[]string{"audit", "--follow", "-o", "ndjson", "--what", "run.paused,run.resumed"}, "", []string{`"what":"run.paused"`, `"note":"lunch"`}},
		{[]string{"audit", "--follow"}, "", []string{"patient  run.paused  by tester: lunch\n"}},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		var out lockedBuffer
		ended := make(chan Exit, 1)
		go func() {
			ended <- Run(ctx, App{Name: "prog"}, append(c.args, at...), Streams{Out: &out, Err: &out})
		}()
		seen := func(part string) {
			t.Helper()
			require.Eventually(t, func() bool { return strings.Contains(out.String(), part) }, 30*time.Second, time.Millisecond, "%v: %s", c.args, part)
		}
		seen(c.ready)
		if c.ready != "" {
			r.ok(t, "start", "patient", "-d", `{"n": 1}`, "--key", "new")
			seen(c.want[0])
			r.ok(t, "cancel", "patient:new", "--yes")
		} else {
			// Nothing says that the stream has begun: what happens is repeated until it is told.
			require.Eventually(t, func() bool {
				r.ok(t, "pause", "patient:old", "-r", "lunch")
				r.ok(t, "resume", "patient:old")
				return strings.Contains(out.String(), c.want[0])
			}, 30*time.Second, 10*time.Millisecond, "%v", c.args)
		}
		for _, part := range c.want {
			seen(part)
		}
		interrupt()
		require.Equal(t, ExitOK, <-ended, "%v: an interrupt ends it: %s", c.args, out.String())
	}
}
