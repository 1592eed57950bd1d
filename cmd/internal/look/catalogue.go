package look

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/saga"
)

func newSagasCommand(env *access.Env) *cobra.Command {
	var mermaid bool
	cmd := &cobra.Command{
		Use:     "sagas [SAGA]",
		Short:   "List the sagas that this program, or the server, can run",
		Example: fmt.Sprintf("  %[1]s sagas\n  %[1]s sagas order --mermaid", env.Program.Name),
		Args:    console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.With(cmd.Context(), access.Use{Definitions: true}, func(ctx context.Context, c *client.Client) error {
				all, err := c.Sagas(ctx)
				if err != nil {
					return err
				}
				list := []saga.SagaInfo{}
				for i := range all {
					if s := all[i].SagaInfo; len(args) == 0 || s.Name == args[0] && s.Latest {
						list = append(list, s)
					}
				}
				if len(args) == 1 && len(list) == 0 {
					return fmt.Errorf("%q: %w", args[0], saga.ErrUnknownSaga)
				}
				return printSagas(env, list, mermaid)
			})
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "print the plans as Mermaid flowcharts")
	return cmd
}

func printSagas(env *access.Env, list []saga.SagaInfo, mermaid bool) error {
	if mermaid {
		for _, s := range list {
			if _, err := fmt.Fprintln(env.Out, diagram.Mermaid(s.Plan)); err != nil {
				return err
			}
		}
		return nil
	}
	if env.JSON() {
		return env.PrintJSON(list)
	}
	if len(list) == 0 {
		return none(env, "sagas")
	}
	rows := [][]string{{"SAGA", "VERSION", "INPUT", "OUTPUT", "ACTIONS", "DESCRIPTION"}}
	for _, s := range list {
		rows = append(rows, []string{s.Name, fmt.Sprint(s.Version), s.Input, s.Output, strings.Join(s.Actions, " "), s.Description})
	}
	if err := env.Table(rows); err != nil {
		return err
	}
	for _, s := range list {
		for _, u := range s.Untried {
			if _, err := fmt.Fprintf(env.Out, "%s v%d: not checked what %s reads: its function panicked on made-up values: %s\n", s.Name, s.Version, u.Step, u.Panic); err != nil {
				return err
			}
		}
	}
	return nil
}

func newActionsCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "actions",
		Short:   "List the actions that this program, or the server, can run",
		Example: fmt.Sprintf("  %s actions -o json", env.Program.Name),
		Args:    console.Usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return env.With(cmd.Context(), access.Use{Definitions: true}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Actions(ctx)
				if err != nil {
					return err
				}
				return printActions(env, list)
			})
		},
	}
}

func printActions(env *access.Env, list []saga.ActionInfo) error {
	if env.JSON() {
		return env.PrintJSON(list)
	}
	if len(list) == 0 {
		return none(env, "actions")
	}
	rows := [][]string{{"ACTION", "UNDO", "ATTEMPTS", "TIMEOUT", "INPUT", "OUTPUT", "SAGAS", "DESCRIPTION"}}
	for _, a := range list {
		attempts := fmt.Sprint(a.Retry.MaxAttempts)
		if a.Retry.MaxAttempts == domain.Unlimited {
			attempts = "unlimited"
		}
		rows = append(rows, []string{a.Name, undoText(a.Effect), attempts, time.Duration(a.Timeout).String(), a.Input, a.Output, strings.Join(a.Sagas, " "), a.Description})
	}
	return env.Table(rows)
}

// undoText says whether an action can be undone.
func undoText(e domain.Effect) string {
	switch e {
	case domain.EffectUndo:
		return "yes"
	case domain.EffectNone:
		return "no effect"
	}
	return string(e)
}

// none says that the program has no sagas, or no actions.
func none(env *access.Env, what string) error {
	_, err := fmt.Fprintf(env.Err, "%s has no %s of its own: a program with sagas calls program.Main with them (see cmd/signup)\n", env.Program.Name, what)
	return err
}
