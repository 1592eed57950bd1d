package killtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/sagatest/killtest"
)

func TestMain(m *testing.M) {
	killtest.BeChild(killtest.Children{
		"echo": func(args []string) error {
			fmt.Printf("%v\nsaid more\n", args)
			_, err := io.Copy(io.Discard, os.Stdin)
			return err
		},
	})
	os.Exit(m.Run())
}

func TestAChildIsKilledOrEnds(t *testing.T) {
	t.Parallel()
	killed, ends := killtest.Start(t, "echo", "a", "b c"), killtest.Start(t, "echo")
	killed.Says(t, "[a b c]")
	killed.Kill(t)
	line, err := killed.Line()
	require.Equal(t, "said more", line, "what it said before can be read")
	require.NoError(t, err)
	_, err = killed.Line()
	require.ErrorIs(t, err, io.EOF)
	ends.Says(t, "[]")
	ends.End(t)
}

// ends runs jobs to all three ends on a new log, and returns it with the directory of the ledger.
func ends(t *testing.T) (log *memlog.Log, dir string) {
	t.Helper()
	log, dir = memlog.New(), t.TempDir()
	ledger, err := killtest.OpenLedger(dir)
	require.NoError(t, err)
	told, err := killtest.OpenTold(dir)
	require.NoError(t, err)
	act := func(name string) *saga.Action[killtest.Job, killtest.Job] {
		return &saga.Action[killtest.Job, killtest.Job]{Name: name,
			Do: func(ctx context.Context, in killtest.Job) (killtest.Job, error) {
				if name == "x" && in.Fail {
					return in, saga.Permanent(errors.New("refused"))
				}
				ledger.Write(ctx, killtest.Began, "")
				ledger.Write(ctx, killtest.Did, "")
				return in, nil
			},
			Undo: func(ctx context.Context, did saga.Did[killtest.Job, killtest.Job]) error {
				ledger.Write(ctx, killtest.Undid, did.Key)
				return nil
			}}
	}
	sagas := killtest.Sagas(killtest.Acts{A: act("a"), B: act("b"), C: act("c"), Probed: act("p"), Refusing: act("x")}, time.Minute)
	c, err := saga.New(saga.Config{Log: log, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	for _, s := range sagas {
		require.NoError(t, c.Register(s))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	for n, s := range map[int]*saga.Saga[killtest.Job, killtest.Job]{1: sagas[0], 3: sagas[2], 6: sagas[1]} {
		run, err := told.Start(ctx, c, s, n)
		require.NoError(t, err)
		told.Disturb(ctx, c, run, n)
	}
	cancel()
	require.NoError(t, <-ended)
	return log, dir
}

// judge is a test that keeps what it is told.
type judge struct {
	testing.TB
	found string
}

// Errorf implements [testing.TB].
func (j *judge) Errorf(format string, args ...any) { j.found += fmt.Sprintf(format, args...) }

// FailNow implements [testing.TB].
func (j *judge) FailNow() { panic(j) }

// TestCheckFindsWhatIsWrong spoils what was written down of runs that went well.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]struct {
		file  string
		words []string // old, new, old, new
		finds string
	}{
		"nothing is wrong":                 {},
		"an effect is gone":                {"ledger", []string{`"What":"did"`, `"What":"nothing"`}, "rule 8"},
		"an effect stays":                  {"ledger", []string{`"What":"undid"`, `"What":"not there"`}, "rule 8"},
		"an undo takes back the wrong one": {"ledger", []string{`"For":"`, `"For":"another `}, "rule 8"},
		"an effect may have come after it": {"ledger", []string{`"What":"did"`, `"What":"began"`, `"For":"`, `"For":"another `}, "rule 11"},
		"an undo was cancelled":            {"ledger", []string{`"What":"undid"`, `"What":"cut short"`}, "rule 12"},
		"an effect has no start":           {"ledger", []string{`"Step":"a"`, `"Step":"z"`}, "rule 1"},
		"a caller was told another end":    {"told", []string{`"End":"completed"`, `"End":"compensated"`}, "was told how"},
		"a cancelled run is not":           {"told", []string{`"End":"completed"`, `"Cancelled":"a test"`}, "was told that"},
		"a start was refused":              {"told", []string{`"Saga":"linear"`, `"Refused":"no"`}, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, dir := ends(t)
			if spoil.file != "" {
				file := filepath.Join(dir, spoil.file)
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				spoilt := strings.NewReplacer(spoil.words...).Replace(string(text))
				require.NotEqual(t, string(text), spoilt)
				require.NoError(t, os.WriteFile(file, []byte(spoilt), 0o600))
			}
			j := &judge{TB: t}
			func() {
				defer func() {
					if r := recover(); r != nil && r != any(j) {
						panic(r)
					}
				}()
				killtest.Check(j, log, dir)
			}()
			if spoil.finds == "" {
				require.Empty(t, j.found)
			} else {
				require.Contains(t, j.found, spoil.finds)
			}
		})
	}
}

// TestTheLedgerOutlivesAKillInALine has a line cut short: what comes after it is whole, and two
// processes see each other's lines.
func TestTheLedgerOutlivesAKillInALine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, err := killtest.OpenLedger(dir)
	require.NoError(t, err)
	other, err := killtest.OpenLedger(dir)
	require.NoError(t, err)
	key := saga.AttemptOf(t.Context()).Key
	require.False(t, one.Has(key))
	f, err := os.OpenFile(filepath.Join(dir, "ledger"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteString("\n" + `{"Run":"4","Wh`)
	require.NoError(t, err)
	require.False(t, one.Has(key))
	other.Write(t.Context(), killtest.Did, "")
	require.True(t, one.Has(key))
	require.True(t, other.Has(key))
}
