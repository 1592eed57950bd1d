package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
)

func newSagasCommand(env *environment) *cobra.Command {
	var mermaid bool
	cmd := &cobra.Command{
		Use:   "sagas [SAGA]",
		Short: "List the sagas that this program can run",
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := env.catalogue()
			if err != nil {
				return err
			}
			list := c.Sagas()
			if len(args) == 1 {
				one, err := c.Saga(args[0], 0)
				if err != nil {
					return err
				}
				list = []saga.SagaInfo{one}
			}
			return env.printSagas(list, mermaid)
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "print the plans as Mermaid flowcharts")
	return cmd
}

func (env *environment) printSagas(list []saga.SagaInfo, mermaid bool) error {
	if mermaid {
		for _, s := range list {
			if _, err := fmt.Fprintln(env.Out, saga.Mermaid(s.Plan)); err != nil {
				return err
			}
		}
		return nil
	}
	if env.json() {
		return env.printJSON(list)
	}
	if len(list) == 0 {
		return env.none("sagas")
	}
	rows := [][]string{{"SAGA", "VERSION", "INPUT", "OUTPUT", "ACTIONS", "DESCRIPTION"}}
	for _, s := range list {
		rows = append(rows, []string{s.Name, fmt.Sprint(s.Version), s.Input, s.Output, strings.Join(s.Actions, " "), s.Description})
	}
	return env.table(rows)
}

func newActionsCommand(env *environment) *cobra.Command {
	return &cobra.Command{
		Use:   "actions",
		Short: "List the actions that this program can run",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := env.catalogue()
			if err != nil {
				return err
			}
			return env.printActions(c.Actions())
		},
	}
}

func (env *environment) printActions(list []saga.ActionInfo) error {
	if env.json() {
		return env.printJSON(list)
	}
	if len(list) == 0 {
		return env.none("actions")
	}
	rows := [][]string{{"ACTION", "UNDO", "ATTEMPTS", "TIMEOUT", "INPUT", "OUTPUT", "SAGAS", "DESCRIPTION"}}
	for _, a := range list {
		attempts := fmt.Sprint(a.Retry.MaxAttempts)
		if a.Retry.MaxAttempts == domain.Unlimited {
			attempts = "unlimited"
		}
		rows = append(rows, []string{a.Name, undoText(a.Effect), attempts, time.Duration(a.Timeout).String(), a.Input, a.Output, strings.Join(a.Sagas, " "), a.Description})
	}
	return env.table(rows)
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
func (env *environment) none(what string) error {
	_, err := fmt.Fprintf(env.Err, "%s has no %s of its own: a program with sagas calls cli.Main with them (see cmd/signup)\n", env.app.Name, what)
	return err
}
