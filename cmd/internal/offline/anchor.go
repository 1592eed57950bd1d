package offline

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/verify"
)

// readAnchors reads the anchor in the file; no file name means no anchor.
func readAnchors(file, key string) ([]*verify.Anchor, error) {
	if file == "" {
		return nil, nil
	}
	if key == "" {
		return nil, console.UsageError{Err: errors.New("--anchor needs --key: the public key of whoever signed it")}
	}
	public, _, err := readKey(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, console.UsageError{Err: fmt.Errorf("--anchor: %w", err)}
	}
	a, err := verify.ReadAnchor(f, public)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return []*verify.Anchor{a}, nil
}

// readKey reads a key of anchors: a file with it, or the key itself.
func readKey(given string) (ed25519.PublicKey, ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(given)
	if errors.Is(err, os.ErrNotExist) {
		raw, err = []byte(given), nil
	}
	if err != nil {
		return nil, nil, console.UsageError{Err: fmt.Errorf("--key: %w", err)}
	}
	public, private, err := verify.ParseAnchorKey(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, nil, console.UsageError{Err: fmt.Errorf("--key: neither a file nor a key: %w: make one with audit keygen", err)}
	}
	return public, private, nil
}

func newAnchorCommand(env *access.Env) *cobra.Command {
	var (
		o        offline
		key, out string
	)
	cmd := &cobra.Command{
		Use:   "anchor",
		Short: "Sign the history of all runs up to now",
		Long: `Check all runs, then write an anchor: the ends of their hash chains, signed. Keep the anchor where people with write access
to the log can't write. It proves later that the history up to now has not changed (see "audit verify --anchor").

If the check finds something wrong, nothing is signed.`,
		Example: fmt.Sprintf("  %s audit anchor --key anchor.key --out anchor-$(date +%%F).ndjson --data DIR", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if key == "" {
				return console.UsageError{Err: errors.New("an anchor needs a private --key: make one with audit keygen")}
			}
			_, private, err := readKey(key)
			if err != nil {
				return err
			}
			if private == nil {
				return console.UsageError{Err: errors.New("--key is a public key: sign with the private one")}
			}
			log, err := o.open(env)
			if err != nil {
				return err
			}
			v, err := verify.All(cmd.Context(), log)
			if err = errors.Join(err, log.Close()); err != nil {
				return err
			}
			if !v.OK() {
				return printVerification(env, v)
			}
			return writeAnchor(env, &verify.Anchor{Made: time.Now(), Heads: v.Heads}, private, out)
		},
	}
	o.addFlags(cmd, env)
	cmd.Flags().StringVar(&key, "key", "", "the private key, or a file with it")
	cmd.Flags().StringVar(&out, "out", "", "the new file to write; standard output without the flag")
	return cmd
}

func writeAnchor(env *access.Env, a *verify.Anchor, key ed25519.PrivateKey, out string) error {
	if out == "" {
		return a.Write(env.Out, key)
	}
	if err := writeNew(out, 0o644, func(w io.Writer) error { return a.Write(w, key) }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(env.Err, "%s vouches for %d runs; keep it where people with write access to the log can't write\n", out, len(a.Heads))
	return err
}

// writeNew writes a file that must not exist.
func writeNew(name string, mode os.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, os.ErrExist) {
		return console.UsageError{Err: fmt.Errorf("%s exists: give another name", name)}
	}
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

func newKeygenCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign anchors with",
		Long: `Make an Ed25519 key to sign anchors with. The private key is written to the file, which only you can read. The public key
is printed: it is needed to check anchors.`,
		Example: fmt.Sprintf("  %s audit keygen anchor.key > anchor.pub", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			if err := writeNew(args[0], 0o600, func(w io.Writer) error {
				_, err := fmt.Fprintln(w, verify.MarshalAnchorKey(private))
				return err
			}); err != nil {
				return err
			}
			if env.JSON() {
				return env.PrintJSON(map[string]string{"public": verify.MarshalAnchorKey(public), "file": args[0]})
			}
			_, err = fmt.Fprintln(env.Out, verify.MarshalAnchorKey(public))
			return err
		},
	}
}
