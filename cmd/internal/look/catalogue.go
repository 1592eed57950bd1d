package look

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/diagram"
	"github.com/atonehq/atone/domain/shape"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/evidence"
)

func newSagasCommand(env *access.Env) *cobra.Command {
	var mermaid bool
	cmd := &cobra.Command{
		Use:     "sagas [SAGA]",
		Short:   "List the sagas that this program or the server can run, or show what one takes and returns",
		Example: fmt.Sprintf("  %[1]s sagas\n  %[1]s sagas order\n  %[1]s sagas order --mermaid", env.Program.Name),
		Args:    console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.With(cmd.Context(), access.Use{Definitions: true, Evidence: true}, func(ctx context.Context, c *client.Client) error {
				all, err := c.Sagas(ctx)
				if err != nil {
					return err
				}
				list := []catalogued{}
				for i := range all {
					if s := (catalogued{all[i].SagaInfo, all[i].Explored}); len(args) == 0 || s.Name == args[0] && s.Latest {
						list = append(list, s)
					}
				}
				if len(args) == 1 && len(list) == 0 {
					return env.Meant(ctx, args[0], fmt.Errorf("%q: %w", args[0], saga.ErrUnknownSaga))
				}
				if err := printSagas(env, list, mermaid); err != nil || len(args) == 0 || mermaid || env.JSON() {
					return err
				}
				return printPayloads(env, &list[0].SagaInfo)
			})
		},
	}
	cmd.Flags().BoolVar(&mermaid, "mermaid", false, "print the plans as Mermaid flowcharts")
	cmd.AddCommand(newSagasCheckCommand(env))
	return cmd
}

// catalogued is a saga, and what is known of its exploration.
type catalogued struct {
	saga.SagaInfo
	Explored *evidence.Standing `json:"explored,omitempty"`
}

// exploredText tells what is known of a saga's exploration.
func exploredText(s catalogued) string {
	if s.Explored == nil {
		return "?"
	}
	return s.Explored.Text
}

// exploredLook shows what is broken in red, and in grey what is not about what runs now.
func exploredLook(p tty.Palette, s catalogued, text string) string {
	switch {
	case s.Explored != nil && s.Explored.Broken():
		return p.Bad(text)
	case s.Explored == nil || s.Explored.Stale():
		return p.Dim(text)
	}
	return text
}

func printSagas(env *access.Env, list []catalogued, mermaid bool) error {
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
	type row = catalogued
	table := &console.Listing[row]{Console: env.Console, Columns: []console.Column[row]{
		{Name: "SAGA", Text: func(s row) string { return s.Name }},
		{Name: "VERSION", Text: func(s row) string { return strconv.Itoa(s.Version) }},
		{Name: "INPUT", Rank: 1, Long: true, Text: func(s row) string { return fieldsText(s.InputSchema, s.Input) }},
		{Name: "OUTPUT", Rank: 2, Long: true, Text: func(s row) string { return fieldsText(s.OutputSchema, s.Output) }},
		{Name: "ACTIONS", Long: true, Text: func(s row) string { return strings.Join(s.Actions, " ") }},
		{Name: "DESCRIPTION", Rank: 3, Long: true, Text: func(s row) string { return s.Description }},
		{Name: "EXPLORED", Rank: 4, Long: true, Text: exploredText, Look: exploredLook},
	}}
	if err := table.Page(wire.Page[row]{Items: list}); err != nil {
		return err
	}
	for _, s := range list {
		for _, u := range s.Untried {
			if _, err := fmt.Fprintf(env.Out, "%s v%d: could not check what %s reads: its function panicked on made-up values: %s\n", s.Name, s.Version, u.Step, u.Panic); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldsText names the fields of a payload, * after required ones. A payload without fields is told
// by its kind, and one whose schema can't be read by its Go type.
func fieldsText(schema json.RawMessage, goType string) string {
	payload, err := shape.Read(schema)
	if err != nil {
		return goType
	}
	if len(payload.Fields) == 0 {
		return payload.Says()
	}
	names := make([]string, len(payload.Fields))
	for i, f := range payload.Fields {
		if names[i] = f.Name; f.Required {
			names[i] += "*"
		}
	}
	return strings.Join(names, " ")
}

// printPayloads prints the fields that a saga takes and returns.
func printPayloads(env *access.Env, s *saga.SagaInfo) error {
	err := errors.Join(printFields(env, "INPUT", s.InputSchema), printFields(env, "OUTPUT", s.OutputSchema))
	for _, name := range slices.Sorted(maps.Keys(s.Signals)) {
		err = errors.Join(err, printFields(env, "SIGNAL "+name, s.Signals[name]))
	}
	return err
}

// printFields prints the fields of a payload; * marks required ones.
func printFields(env *access.Env, title string, schema json.RawMessage) error {
	payload, err := shape.Read(schema)
	if err != nil {
		return err
	}
	fields := payload.Tree()
	if len(fields) == 0 {
		fields = []shape.Branch{{Field: payload}}
	}
	type row = shape.Branch
	table := &console.Listing[row]{Console: env.Console, Columns: []console.Column[row]{
		{Name: title, Text: func(f row) string {
			if f.Required {
				return f.Path + "*"
			}
			return cmp.Or(f.Path, "-")
		}},
		{Name: "VALUE", Text: func(f row) string { return f.Says() }},
		{Name: "DESCRIPTION", Rank: 1, Long: true, Text: func(f row) string { return f.Doc }},
	}}
	if _, err := fmt.Fprintln(env.Out); err != nil {
		return err
	}
	return table.Page(wire.Page[row]{Items: fields})
}

func newActionsCommand(env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "actions [ACTION]",
		Short:   "List the actions that this program or the server can run, or show what one takes and returns",
		Example: fmt.Sprintf("  %[1]s actions\n  %[1]s actions charge-card", env.Program.Name),
		Args:    console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return env.With(cmd.Context(), access.Use{Definitions: true}, func(ctx context.Context, c *client.Client) error {
				list, err := c.Actions(ctx)
				if err != nil {
					return err
				}
				if len(args) == 0 {
					return printActions(env, list)
				}
				list = slices.DeleteFunc(list, func(a saga.ActionInfo) bool { return a.Name != args[0] })
				if len(list) == 0 {
					return fmt.Errorf("%q: %w", args[0], saga.ErrUnknownAction)
				}
				if err := printActions(env, list); err != nil || env.JSON() {
					return err
				}
				return errors.Join(printFields(env, "INPUT", list[0].InputSchema), printFields(env, "OUTPUT", list[0].OutputSchema))
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
	type row = saga.ActionInfo
	table := &console.Listing[row]{Console: env.Console, Columns: []console.Column[row]{
		{Name: "ACTION", Text: func(a row) string { return a.Name }},
		{Name: "UNDO", Text: func(a row) string { return undoText(a.Effect) }},
		{Name: "ATTEMPTS", Text: func(a row) string { return attemptsText(a.Retry.MaxAttempts) }},
		{Name: "TIMEOUT", Rank: 1, Text: func(a row) string { return time.Duration(a.Timeout).String() }},
		{Name: "INPUT", Rank: 2, Long: true, Text: func(a row) string { return fieldsText(a.InputSchema, a.Input) }},
		{Name: "OUTPUT", Rank: 3, Long: true, Text: func(a row) string { return fieldsText(a.OutputSchema, a.Output) }},
		{Name: "SAGAS", Long: true, Text: func(a row) string { return strings.Join(a.Sagas, " ") }},
		{Name: "DESCRIPTION", Rank: 4, Long: true, Text: func(a row) string { return a.Description }},
	}}
	return table.Page(wire.Page[row]{Items: list})
}

// attemptsText says how often an action is tried.
func attemptsText(n int) string {
	if n == domain.Unlimited {
		return "unlimited"
	}
	return strconv.Itoa(n)
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

// none reports that the program has no sagas, or no actions.
func none(env *access.Env, what string) error {
	_, err := fmt.Fprintf(env.Err, "%s has no %s of its own: a program with sagas calls program.Main with them (see cmd/signup)\n", env.Program.Name, what)
	return err
}
