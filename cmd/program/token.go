package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/saga"
)

func newTokenCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the API's tokens",
		Long: `Make, list and revoke the tokens of the HTTP API and the web page. The token's name is the actor in the audit trail.

Tokens are kept in the log, as hashes. The first one is made on the data directory, or with --log in the cluster, before
a server that asks for tokens starts; later ones through the server, with an admin token.`,
		Example: fmt.Sprintf("  %[1]s token create kim --scope admin --data DIR\n  %[1]s token list", env.app.Name),
		Args:    usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreateCommand(env), newTokenListCommand(env), newTokenRevokeCommand(env))
	return cmd
}

func newTokenCreateCommand(env *environment) *cobra.Command {
	var t wire.NewToken
	var expires ageFlag
	var log string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, this once",
		Long: `Make a token and print it. It is shown this once: only its hash is kept.

Scopes: read looks at everything; start starts runs, waits for them, signals them and emits events; operate cancels,
pauses, resumes, retries, resolves, abandons and signals; admin does all that, and handles tokens and projections.`,
		Example: fmt.Sprintf(`  %[1]s token create kim --scope read,operate
  %[1]s token create shop --scope start --saga order --expires-in 90d`, env.app.Name),
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.Name = args[0]
			if len(t.Scopes) == 0 {
				return usageError{errors.New("say what it is good for: --scope read, start, operate or admin")}
			}
			if err := notEmpty(cmd.Flags(), "expires-in", "saga"); err != nil {
				return err // a token that never ends, or is good for everything, is not what was meant
			}
			if expires > 0 {
				t.Expires = time.Now().Add(time.Duration(expires)).UTC().Truncate(time.Second)
			}
			u := use{makes: true, check: func(context.Context, *saga.Coordinator) error { return env.checkToken(t) }}
			if !env.flags.Changed("data") {
				u.cluster = log
			}
			return env.with(cmd.Context(), u, func(ctx context.Context, c *client.Client) error {
				made, err := c.CreateToken(ctx, t)
				if err != nil {
					return err
				}
				return env.printCreated(made)
			})
		},
	}
	cmd.Flags().StringSliceVar(&t.Scopes, "scope", nil, "what it allows: read, start, operate or admin; may be repeated")
	cmd.Flags().StringSliceVar(&t.Sagas, "saga", nil, "only for that saga or single action; may be repeated")
	cmd.Flags().StringVar(&log, "log", env.getenv("ATONE_LOG"), "make it in the log at an esdb:// connection string: the first token of coordinators that share one (ATONE_LOG)")
	cmd.Flags().Var(&expires, "expires-in", "when it ends by itself, such as 12h or 90d; never without it")
	return cmd
}

// checkToken reports whether a token can be made so; [saga.ErrNotRunning] is what [use] takes for a yes.
func (env *environment) checkToken(n wire.NewToken) error {
	scopes, err := auth.ParseScopes(n.Scopes)
	if err != nil {
		return usageError{err}
	}
	spec := auth.Spec{Name: n.Name, Scopes: scopes, Sagas: n.Sagas, Expires: n.Expires, By: env.who()}
	if err := spec.Validate(time.Now()); err != nil {
		return err
	}
	return saga.ErrNotRunning
}

// loadTokens reads the tokens, which is the first that is asked of a log. A cluster that does not answer is waited for: people
// are told, so that they don't look at a silent command.
func (env *environment) loadTokens(ctx context.Context, log eventLog) (*auth.Tokens, error) {
	late := time.AfterFunc(2*time.Second, func() {
		env.logger(slog.LevelWarn).Warn("the log does not answer yet: waiting for it (check --log and the cluster, or interrupt)")
	})
	defer late.Stop()
	tokens := auth.NewTokens(log, nil)
	return tokens, tokens.Load(ctx)
}

// printCreated shows a token's secret, this once.
func (env *environment) printCreated(made wire.CreatedToken) error {
	if env.json() {
		return env.printJSON(made)
	}
	_, err := fmt.Fprintln(env.Out, made.Secret)
	_, hint := fmt.Fprintf(env.Err, "the token of %s, shown this once: keep it, for example in ATONE_TOKEN\n", made.Token.Name)
	return errors.Join(err, hint)
}

func newTokenListCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Example: fmt.Sprintf("  %s token list", env.app.Name),
		Args:    usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Tokens(ctx)
				if err != nil {
					return err
				}
				if env.json() {
					return env.printJSON(list)
				}
				return env.tokenListing().page(wire.Page[wire.Token]{Items: list})
			})
		},
	}
	env.formats(cmd, formatTable, formatJSON, formatNDJSON, formatCSV)
	return cmd
}

func (env *environment) tokenListing() *listing[wire.Token] {
	now := time.Now()
	return &listing[wire.Token]{env: env, none: "there are no tokens: make one with token create", columns: []column[wire.Token]{
		{name: "NAME", text: func(t wire.Token) string { return t.Name }},
		{name: "SCOPES", text: func(t wire.Token) string { return strings.Join(t.Scopes, " ") }},
		{name: "SAGAS", text: func(t wire.Token) string {
			if len(t.Sagas) == 0 {
				return "all"
			}
			return strings.Join(t.Sagas, " ")
		}},
		{name: "STATE", text: func(t wire.Token) string { return tokenState(&t, now) }},
		{name: "CREATED", text: func(t wire.Token) string { return clock(t.Created) }, value: func(t wire.Token) string { return stamp(t.Created) }},
		{name: "BY", text: func(t wire.Token) string { return t.By }},
		{name: "EXPIRES", text: func(t wire.Token) string { return clock(t.Expires) }, value: func(t wire.Token) string { return stamp(t.Expires) }},
	}}
}

func tokenState(t *wire.Token, now time.Time) string {
	switch {
	case !t.Revoked.IsZero():
		return "revoked"
	case !t.Expires.IsZero() && !now.Before(t.Expires):
		return "expired"
	}
	return "good"
}

func newTokenRevokeCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke NAME",
		Short:   "End a token at once",
		Example: fmt.Sprintf("  %s token revoke kim", env.app.Name),
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				if err := c.RevokeToken(ctx, args[0]); err != nil {
					return err
				}
				if env.json() {
					return env.printJSON(map[string]string{"revoked": args[0]})
				}
				_, err := fmt.Fprintf(env.Out, "%s: revoked\n", plain(args[0]))
				return err
			})
		},
	}
}
