package saga_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/pebblelog"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

var writeOldLog = flag.Bool("write-old-log", false, "write testdata/oldlog anew with this program: only in a checkout of commit c999109")

// oldLogDir, in the environment, makes the test binary the program that writes the old log and is
// killed.
const oldLogDir = "ATONE_OLD_LOG_DIR"

// oldRun is a run of the old log.
type oldRun struct {
	Saga string `json:"saga"`
	Mode string `json:"mode"`
	// Key is that of its start; empty for a child and for a triggered run.
	Key string       `json:"key,omitempty"`
	ID  domain.RunID `json:"id"`
	// State and Revision are those that the writer left it in; Phases those of its steps.
	State    domain.RunState   `json:"state"`
	Revision int64             `json:"revision"`
	Phases   map[string]string `json:"phases"`
}

// oldModes lists the runs that are started: by saga, the modes.
var oldModes = map[string][]string{
	"old-order": {"ok", "reserve:hang", "charge:hang", "charge:probe-hang", "charge:retry", "charge:retry-late",
		"charge:refused", "ship:hang", "ship:refused", "ship:retry"},
	"old-failing": {"ok", "undo-charge:hang", "undo-charge:refused", "undo-charge:retry", "undo-reserve:retry-late", "tell:hang", "tell:retry", "undo-reserve:refused",
		"charge:probe-hang", "charge:retry-late"},
	"old-shapes": {"ok", "left:hang", "notify:hang", "notify:refused", "first:hang", "reserve:hang", "charge:hang", "charge:refused", "reserve:refused",
		"charge:retry-late"},
	"old-plan":   {"ok", "reserve:hang", "reserve:refused", "planner:hang", "planner:retry", "planner:retry-late"},
	"old-waits":  {"sleep", "signal", "event"},
	"old-parent": {"ok", "waits", "ship:refused", "undo-charge:refused", "undo-charge:hang", "reserve:hang", "waits:cancelled"},
	"charge":     {"ok", "charge:hang", "charge:retry-late"},
}

func oldInput(mode string) json.RawMessage {
	b, err := json.Marshal(oldIn{Mode: mode})
	if err != nil {
		panic(err)
	}
	return b
}

// startOld starts a run of the old log by its key, as both programs do.
func startOld(ctx context.Context, c *saga.Coordinator, name, mode string) (domain.RunID, error) {
	key := saga.Key("old-" + mode)
	if name == "charge" {
		return c.InvokeByName(ctx, name, oldInput(mode), key)
	}
	return c.StartByName(ctx, name, 1, oldInput(mode), key, saga.Labels(map[string]string{"mode": strings.ReplaceAll(mode, ":", "-")}))
}

func oldCoordinator(t testing.TB, dir string, s *oldSagas) (*saga.Coordinator, *pebblelog.Log) {
	log, err := pebblelog.Open(dir, pebblelog.Config{Logger: slog.New(slog.DiscardHandler), MemTableBytes: 1 << 20})
	require.NoError(t, err)
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler), CheckpointEvery: 100, SnapshotEvery: 12})
	require.NoError(t, err)
	require.NoError(t, c.Register(s.all()...))
	require.NoError(t, c.RegisterActions(s.charge))
	require.NoError(t, c.RegisterTriggers(s.trigger))
	return c, log
}

// writeUntilKilled starts every run, lets each come to where it hangs, waits or ends, and lists
// them. Then it is killed.
func writeUntilKilled(t *testing.T, dir string) {
	ctx := t.Context()
	c, log := oldCoordinator(t, filepath.Join(dir, "log"), newOldWorld(true).sagas())
	go func() { _ = c.Run(context.Background()) }()
	<-c.Ready()
	var ids []domain.RunID
	for name, modes := range oldModes {
		for _, mode := range modes {
			id, err := startOld(ctx, c, name, mode)
			require.NoError(t, err)
			ids = append(ids, id)
		}
	}
	_, err := c.EmitEvent(ctx, "orders-1", "old.ordered", oldInput("ship:refused"), saga.EmitOptions{ID: "ordered-1"})
	require.NoError(t, err)
	time.Sleep(3 * time.Second)
	for _, id := range ids {
		v, err := c.Describe(ctx, id)
		require.NoError(t, err)
		var in oldIn
		require.NoError(t, json.Unmarshal(v.Input, &in))
		switch {
		case in.Mode == "signal" && v.Saga == "old-waits":
			require.NoError(t, c.Signal(ctx, id, "maybe", "kept until it is awaited"))
		case in.Mode == "event" && v.Saga == "old-waits":
			require.NoError(t, c.Signal(ctx, id, "go", "on"))
		case in.Mode == "charge:retry-late" && v.Saga == "old-order":
			require.NoError(t, c.Pause(ctx, id, "for the old log"))
		case in.Mode == "undo-reserve:refused" && v.Saga == "old-failing":
			require.NoError(t, c.Abandon(ctx, id, "given up"))
		case in.Mode == "waits:cancelled":
			require.NoError(t, c.Cancel(ctx, id, "not wanted"))
		}
	}
	time.Sleep(2 * time.Second)
	var runs []oldRun
	for e, err := range log.ReadAll(ctx, 0, domain.Filter{Prefixes: []string{domain.RunPrefix}}) {
		require.NoError(t, err)
		id, ok := domain.RunOfStream(e.Stream)
		if !ok || e.Revision != 0 {
			continue
		}
		s, err := saga.FoldAt(ctx, log, id, saga.Latest)
		require.NoError(t, err)
		v := explain.Describe(s)
		var in oldIn
		require.NoError(t, json.Unmarshal(v.Input, &in))
		r := oldRun{Saga: v.Saga, Mode: in.Mode, Key: v.Key, ID: id, State: v.State, Revision: v.Revision, Phases: map[string]string{}}
		for _, st := range v.Steps {
			r.Phases[st.Path] = st.Phase.String()
		}
		runs = append(runs, r)
	}
	b, err := json.MarshalIndent(runs, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "runs.json"), b, 0o600))
	process, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	_ = process.Kill()
	select {}
}

// writeOldLogAnew writes the fixture with the program at hand.
func writeOldLogAnew(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestALogOfAnOlderProgramGoesOn$")
	cmd.Env = append(os.Environ(), oldLogDir+"="+dir)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.FileExists(t, filepath.Join(dir, "runs.json"), string(out))
	require.NoError(t, os.MkdirAll(filepath.Join("testdata", "oldlog"), 0o755))
	b, err := os.ReadFile(filepath.Join(dir, "runs.json"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join("testdata", "oldlog", "runs.json"), b, 0o644))
	packDir(t, filepath.Join(dir, "log"), filepath.Join("testdata", "oldlog", "log.tar.gz"))
}

func packDir(t *testing.T, dir, file string) {
	f, err := os.Create(file)
	require.NoError(t, err)
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	require.NoError(t, err)
	w := tar.NewWriter(z)
	require.NoError(t, w.AddFS(os.DirFS(dir)))
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
}

// openOldLog unpacks the old log and returns its directory and its runs.
func openOldLog(t *testing.T) (dir string, runs []oldRun) {
	f, err := os.Open(filepath.Join("testdata", "oldlog", "log.tar.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	dir = t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		name := filepath.Join(dir, h.Name)
		if h.FileInfo().IsDir() {
			require.NoError(t, os.MkdirAll(name, 0o755))
			continue
		}
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, b, fs.FileMode(0o644)))
	}
	b, err := os.ReadFile(filepath.Join("testdata", "oldlog", "runs.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &runs))
	return dir, runs
}
