package cli

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/eventstoredb"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections"
)

// errTampered means that the log is not as it was written.
var errTampered = errors.New("the log is not as it was written")

// offline are the flags of commands that read a log itself.
type offline struct{ log string }

func (o *offline) addFlags(cmd *cobra.Command, env *environment) {
	cmd.Flags().StringVar(&o.log, "log", env.getenv("ATONE_LOG"), "read the log at an esdb:// connection string, not the one in --data (ATONE_LOG)")
}

// open opens the log. A server's API does not do: it redacts what the hashes are made over.
func (o *offline) open(env *environment) (eventLog, error) {
	logger := env.logger(slog.LevelWarn)
	if o.log != "" && !env.flags.Changed("data") {
		log, err := eventstoredb.Open(eventstoredb.Config{Connection: o.log, Logger: logger})
		if err != nil {
			return nil, usageError{fmt.Errorf("--log: %w", err)}
		}
		return log, nil
	}
	if env.remote() {
		return nil, usageError{errors.New("this reads the log itself, not a server's API: give --data with the directory or a copy of it while no server runs on it, or --log 'esdb://HOST:2113?tls=false' for a server with --esdb-listen")}
	}
	log, err := env.openLog(logger, true)
	if err != nil {
		return nil, err
	}
	return log, nil
}

func newVerifyCommand(env *environment) *cobra.Command {
	var (
		o           offline
		all         bool
		anchor, key string
	)
	cmd := &cobra.Command{
		Use:   "verify [RUN]",
		Short: "Check that nobody changed, removed, inserted or reordered events",
		Long: `Check the hash chain of a run, or with --all those of all runs and the plans: any event that was changed, removed from
between others, inserted or reordered is named, and the exit code is 12.

Somebody who rewrites all hashes after an event, or cuts off a run's end, is found out with --anchor: a file that
"audit anchor" signed earlier and that was kept out of their reach.

The log is read itself, offline; with --log, in an EventStoreDB cluster or a server with --esdb-listen.`,
		Example: fmt.Sprintf(`  %[1]s audit verify --all --data DIR
  %[1]s audit verify --all --anchor anchor.ndjson --key anchor.pub --data DIR
  %[1]s audit verify signup:ada --log 'esdb://localhost:2113?tls=false'`, env.app.Name),
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return usageError{errors.New("give a run, or --all")}
			}
			var id domain.RunID
			var err error
			if !all {
				if id, err = parseRun(args[0]); err != nil {
					return err
				}
			}
			anchors, err := readAnchors(anchor, key)
			if err != nil {
				return err
			}
			log, err := o.open(env)
			if err != nil {
				return err
			}
			var v *projections.Verification
			if all {
				v, err = projections.VerifyAll(cmd.Context(), log, anchors...)
			} else {
				v, err = projections.VerifyRun(cmd.Context(), log, id, anchors...)
			}
			if err = errors.Join(err, log.Close()); err != nil {
				return err
			}
			return env.printVerification(v)
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().BoolVar(&all, "all", false, "check all runs")
	cmd.Flags().StringVar(&anchor, "anchor", "", "check against the anchor in the file as well")
	cmd.Flags().StringVar(&key, "key", "", "the anchor's key, private or public, or a file with it")
	return cmd
}

// printVerification writes what a check found; findings make it an error.
func (env *environment) printVerification(v *projections.Verification) error {
	if env.json() {
		findings := v.Findings
		if findings == nil {
			findings = []projections.Finding{}
		}
		if err := env.printJSON(map[string]any{"ok": v.OK(), "runs": v.Runs, "events": v.Events, "anchored": v.Anchored,
			"found": v.Found, "findings": findings}); err != nil {
			return err
		}
	} else {
		for _, f := range v.Findings {
			if _, err := fmt.Fprintln(env.Out, plain(f.String())); err != nil {
				return err
			}
		}
		anchored := ""
		if v.Anchored > 0 {
			anchored = fmt.Sprintf(", %d of them vouched for by the anchor", v.Anchored)
		}
		if v.OK() {
			if _, err := fmt.Fprintf(env.Out, "%s: %d events of %d runs are as they were written%s\n", env.colours().Good("ok"), v.Events, v.Runs, anchored); err != nil {
				return err
			}
		}
	}
	if v.OK() {
		return nil
	}
	return fmt.Errorf("%w: %d findings in %d events of %d runs", errTampered, v.Found, v.Events, v.Runs)
}

// readAnchors reads the anchor in the file, if there is one.
func readAnchors(file, key string) ([]*projections.Anchor, error) {
	if file == "" {
		return nil, nil
	}
	if key == "" {
		return nil, usageError{errors.New("--anchor needs --key: the public key of whoever signed it")}
	}
	public, _, err := readKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usageError{fmt.Errorf("--anchor: %w", err)}
	}
	a, err := projections.ReadAnchor(f, public)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return []*projections.Anchor{a}, nil
}

// readKey reads a key of anchors: a file with it, or the key itself.
func readKey(given string) (ed25519.PublicKey, ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(given)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = []byte(given), nil
	}
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--key: %w", err)}
	}
	public, private, err := projections.ParseAnchorKey(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("--key: neither a file nor a key: %w: make one with audit keygen", err)}
	}
	return public, private, nil
}

func newAnchorCommand(env *environment) *cobra.Command {
	var (
		o        offline
		key, out string
	)
	cmd := &cobra.Command{
		Use:   "anchor",
		Short: "Sign where the history of all runs stands",
		Long: `Check all runs, then write an anchor: the ends of their hash chains, signed. Kept where those who can write to the log
can't write, it shows later that the history up to now is still the same (see "audit verify --anchor").

A log in which something is wrong is not signed.`,
		Example: fmt.Sprintf("  %s audit anchor --key anchor.key --out anchor-$(date +%%F).ndjson --data DIR", env.app.Name),
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if key == "" {
				return usageError{errors.New("an anchor needs a private --key: make one with audit keygen")}
			}
			_, private, err := readKey(key)
			if err != nil {
				return err
			}
			if private == nil {
				return usageError{errors.New("--key is a public key: sign with the private one")}
			}
			log, err := o.open(env)
			if err != nil {
				return err
			}
			v, err := projections.VerifyAll(cmd.Context(), log)
			if err = errors.Join(err, log.Close()); err != nil {
				return err
			}
			if !v.OK() {
				return env.printVerification(v)
			}
			return env.writeAnchor(&projections.Anchor{Made: time.Now(), Heads: v.Heads}, private, out)
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().StringVar(&key, "key", "", "the private key, or a file with it")
	cmd.Flags().StringVar(&out, "out", "", "the file to write, which must not exist; standard output without it")
	return cmd
}

func (env *environment) writeAnchor(a *projections.Anchor, key ed25519.PrivateKey, out string) error {
	if out == "" {
		return a.Write(env.Out, key)
	}
	if err := writeNew(out, 0o644, func(w io.Writer) error { return a.Write(w, key) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Err, "%s vouches for %d runs; keep it where those who write to the log can't write\n", out, len(a.Heads))
	return err
}

// writeNew writes a file that must not exist.
func writeNew(name string, mode os.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return usageError{fmt.Errorf("%s exists: give another name", name)}
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func newKeygenCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign anchors with",
		Long: `Make an Ed25519 key to sign anchors with. The private key is written to the file, which only you can read; the public
key, which whoever checks anchors needs, is printed.`,
		Example: fmt.Sprintf("  %s audit keygen anchor.key > anchor.pub", env.app.Name),
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], 0o600, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, projections.MarshalAnchorKey(private))
				return err
			}); err != nil {
				return err
			}
			if env.json() {
				return env.printJSON(map[string]string{"public": projections.MarshalAnchorKey(public), "file": args[0]})
			}
			_, err = fmt.Fprintln(env.Out, projections.MarshalAnchorKey(public))
			return err
		},
	}
}
