package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/auth"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

func newTokenCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the API's tokens",
		Long: `Make, list and revoke the tokens of the HTTP API and the web page. The token's name is the actor in the audit trail.

The log keeps hashes of the tokens. Make the first one on the data directory, or with --log in the cluster, before you start a
server that requires tokens; make later ones through the server, with an admin token.`,
		Example: fmt.Sprintf("  %[1]s token create kim --scope admin --data DIR\n  %[1]s token list", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTokenCreateCommand(env), newTokenListCommand(env), newTokenRevokeCommand(env))
	return cmd
}

func newTokenCreateCommand(env *access.Env) *cobra.Command {
	var t wire.NewToken
	var expires console.Duration
	var log string
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, only this once",
		Long: `Make a token and print it. It can't be shown again: only its hash is kept.

Scopes: read looks at everything; start starts runs, waits for them, signals them and emits events; operate cancels,
pauses, resumes, retries, resolves, abandons and signals; admin does all that, and handles tokens and projections.`,
		Example: fmt.Sprintf(`  %[1]s token create kim --scope read,operate
  %[1]s token create shop --scope start --saga order --expires-in 90d`, env.Program.Name),
		Args: console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			t.Name = args[0]
			if len(t.Scopes) == 0 {
				return console.UsageError{Err: errors.New("say what the token allows: --scope read, start, operate or admin")}
			}
			if err := console.NotEmpty(cmd.Flags(), "expires-in", "saga"); err != nil {
				// An empty value would mean a token that never ends or allows everything, which is
				// not what was meant.
				return err
			}
			if expires > 0 {
				t.Expires = time.Now().Add(time.Duration(expires)).UTC().Truncate(time.Second)
			}
			u := access.Use{Makes: true, Check: func(context.Context) error { return checkToken(env, t) }}
			if !env.Given("data") {
				u.Cluster = log
			}
			return env.With(cmd.Context(), u, func(ctx context.Context, c *client.Client) error {
				made, err := c.CreateToken(ctx, t)
				if err != nil {
					return err
				}
				return printCreated(env, made)
			})
		},
	}
	cmd.Flags().StringSliceVar(&t.Scopes, "scope", nil, "what the token allows: read, start, operate or admin; repeatable")
	cmd.Flags().StringSliceVar(&t.Sagas, "saga", nil, "only for this saga or single action; repeatable")
	cmd.Flags().StringVar(&log, "log", env.Getenv("ATONE_LOG"), "make the token in the log at this esdb:// connection string: for the first token of coordinators that share a log (ATONE_LOG)")
	cmd.Flags().Var(&expires, "expires-in", "when the token expires, such as 12h or 90d; without the flag, never")
	return cmd
}

// checkToken reports what is wrong with a new token.
func checkToken(env *access.Env, n wire.NewToken) error {
	scopes, err := auth.ParseScopes(n.Scopes)
	if err != nil {
		return console.UsageError{Err: err}
	}
	spec := auth.Spec{Name: n.Name, Scopes: scopes, Sagas: n.Sagas, Expires: n.Expires, By: env.Who()}
	return spec.Validate(time.Now())
}

// printCreated shows a token's secret, only this time.
func printCreated(env *access.Env, made wire.CreatedToken) error {
	if env.JSON() {
		return env.PrintJSON(made)
	}
	_, err := fmt.Fprintln(env.Out, made.Secret)
	_, hint := fmt.Fprintf(env.Err, "the token of %s can't be shown again: keep it, for example in ATONE_TOKEN\n", made.Token.Name)
	return errors.Join(err, hint)
}

func newTokenListCommand(env *access.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the tokens, without their secrets",
		Example: fmt.Sprintf("  %s token list", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Tokens(ctx)
				if err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(list)
				}
				return tokenListing(env).Page(wire.Page[wire.Token]{Items: list})
			})
		},
	}
	env.Formats(cmd, console.Lists...)
	return cmd
}

func tokenListing(env *access.Env) *console.Listing[wire.Token] {
	now := time.Now()
	return &console.Listing[wire.Token]{Console: env.Console, None: "there are no tokens: make one with token create", Columns: []console.Column[wire.Token]{
		{Name: "NAME", Text: func(t wire.Token) string { return t.Name }},
		{Name: "SCOPES", Text: func(t wire.Token) string { return strings.Join(t.Scopes, " ") }},
		{Name: "SAGAS", Long: true, Text: func(t wire.Token) string {
			if len(t.Sagas) == 0 {
				return "all"
			}
			return strings.Join(t.Sagas, " ")
		}},
		{Name: "STATE", Text: func(t wire.Token) string { return tokenState(&t, now) }},
		{Name: "CREATED", Rank: 2, Time: func(t wire.Token) time.Time { return t.Created }},
		{Name: "BY", Rank: 3, Text: func(t wire.Token) string { return t.By }},
		{Name: "EXPIRES", Rank: 1, Time: func(t wire.Token) time.Time { return t.Expires }},
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

func newTokenRevokeCommand(env *access.Env) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a token at once",
		Long: `End a token at once, and every session and stream that it opened. At a terminal the command asks first; elsewhere it does
nothing without --yes.`,
		Example: fmt.Sprintf("  %s token revoke kim", env.Program.Name),
		Args:    console.Usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				if err := confirmRevoke(ctx, env, c, args[0], yes); err != nil {
					return err
				}
				if err := c.RevokeToken(ctx, args[0]); err != nil {
					return err
				}
				if env.JSON() {
					return env.PrintJSON(map[string]string{"revoked": args[0]})
				}
				_, err := fmt.Fprintf(env.Out, "%s: revoked\n", console.Plain(args[0]))
				return err
			})
		},
	}
	console.YesFlag(cmd.Flags(), &yes)
	return cmd
}

// confirmRevoke shows the token that would end and asks. If there is no such token, or it has
// ended, it asks nothing: the API refuses.
func confirmRevoke(ctx context.Context, env *access.Env, c *client.Client, name string, yes bool) error {
	if yes {
		return nil
	}
	list, err := c.Tokens(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(t wire.Token) bool { return t.Name == name && t.Revoked.IsZero() })
	if i < 0 {
		return nil
	}
	return env.Confirm(ctx, console.Plan{Does: "end the token " + name, Value: list[i], Show: func(con *console.Console) error {
		return tokenListing(&access.Env{Console: con, Program: env.Program}).Page(wire.Page[wire.Token]{Items: list[i : i+1]})
	}}, false)
}
