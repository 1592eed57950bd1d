package look

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/httpapi/wire"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/cmd/internal/story"
	"github.com/atonehq/atone/cmd/internal/tty"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/audit"
	told "github.com/atonehq/atone/projections/story"
)

// auditFlags select rows of the audit across runs.
type auditFlags struct {
	sagas, whats, actions, actors []string
	step, text                    string
	failed, follow                bool
	console.Period
	console.Paging
}

func newAuditCommand(env *access.Env) *cobra.Command {
	var flags auditFlags
	cmd := &cobra.Command{
		Use:   "audit [RUN]",
		Short: "Tell the whole story of a run, or who did what across runs",
		Long: `Tell the whole story of a run: each act and outcome with its time, how long it took, what it waited for, why it
was tried again, who did it, and what went in and came out (secret fields are redacted).

Without a run, list acts and outcomes across runs, the newest first; all conditions that are given must hold.`,
		Example: fmt.Sprintf(`  %[1]s audit order:4711
  %[1]s audit 0198c0de-0000-7000-8000-000000000001 --follow
  %[1]s audit --actor kim --since 7d
  %[1]s audit --failed --action charge-card -o csv --all > failures.csv`, env.Program.Name),
		Args: console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return auditAcross(cmd.Context(), env, &flags)
			}
			for _, name := range auditFilters {
				if cmd.Flags().Changed(name) {
					return console.UsageError{Err: fmt.Errorf("--%s selects across runs: leave the run away", name)}
				}
			}
			id, err := console.ParseRun(args[0])
			if err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				if flags.follow {
					return followStory(ctx, env, c, id)
				}
				s, err := storyOf(ctx, c, id)
				if err != nil {
					return err
				}
				format := told.Format(env.Output)
				if format == "" || format == console.FormatTable {
					format = told.FormatText
				}
				return s.Write(env.Out, format, time.Local)
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "go on with what happens, until the run ends")
	f.StringSliceVar(&flags.sagas, "saga", nil, "of that saga; may be repeated")
	f.StringSliceVar(&flags.whats, "what", nil, "that act or outcome, such as run.started or attempt.failed; may be repeated")
	f.StringSliceVar(&flags.actions, "action", nil, "about that action; may be repeated")
	f.StringSliceVar(&flags.actors, "by", nil, "by that actor; may be repeated")
	f.StringVar(&flags.step, "step", "", "about that step")
	f.StringVar(&flags.text, "error", "", "whose error or searchable payload fields have these words, or words that begin so")
	f.BoolVar(&flags.failed, "failed", false, "only what has an error")
	flags.Period.AddFlags(f, "happened")
	flags.Paging.AddFlags(cmd)
	env.Formats(cmd, console.FormatText, console.FormatTable, console.FormatJSON, console.FormatNDJSON, console.FormatCSV)
	return cmd
}

// auditFilters are the flags that make no sense for one run.
var auditFilters = []string{"saga", "what", "action", "by", "step", "error", "failed", "since", "until", "limit", "cursor", "all", "oldest-first"}

func auditAcross(ctx context.Context, env *access.Env, flags *auditFlags) error {
	if flags.follow {
		return console.UsageError{Err: errors.New("--follow needs a run")}
	}
	if err := flags.Check(); err != nil {
		return err
	}
	f := audit.Filter{Sagas: flags.sagas, Whats: flags.whats, Actions: flags.actions, Actors: flags.actors, Step: flags.step,
		Text: flags.text, HasError: flags.failed, From: flags.Since.Time, To: flags.Until.Time, Ascending: flags.Ascending}
	return env.With(ctx, access.Use{}, func(ctx context.Context, c *client.Client) error {
		return console.Pages(&flags.Paging, auditListing(env), func(cursor string, limit int) (wire.Page[wire.AuditRow], error) {
			f.Cursor, f.Limit = cursor, limit
			return c.Audit(ctx, f)
		})
	})
}

// followStory writes a run's story as it happens. Machines get a line of JSON for each event.
func followStory(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) error {
	if env.Output == console.FormatCSV {
		return console.UsageError{Err: errors.New("--follow writes text or ndjson: give one with -o")}
	}
	p := env.Colours()
	for row, err := range story.Follow(ctx, c, id) {
		if err == nil {
			if env.Output == console.FormatJSON || env.Output == console.FormatNDJSON {
				err = console.PrintLines(env.Console, []told.Line{row})
			} else {
				err = story.Print(env.Out, p, &row)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// auditListing says how rows of the audit are listed.
func auditListing(env *access.Env) *console.Listing[wire.AuditRow] {
	type row = wire.AuditRow
	return &console.Listing[row]{Console: env.Console, None: "no such acts or outcomes", Columns: []console.Column[row]{
		{Name: "AT", Text: func(r row) string { return console.Clock(r.At) }, Value: func(r row) string { return console.Stamp(r.At) }},
		{Name: "RUN", Text: func(r row) string { return r.Run.String() }},
		{Name: "REVISION", CSVOnly: true, Text: func(r row) string { return strconv.FormatUint(r.Revision, 10) }},
		{Name: "SAGA", Text: func(r row) string { return r.Saga }},
		{Name: "WHAT", Text: func(r row) string { return r.What }},
		{Name: "STEP", Text: auditStep, Value: func(r row) string { return r.Step }},
		{Name: "DIRECTION", CSVOnly: true, Text: func(r row) string { return string(r.Direction) }},
		{Name: "ATTEMPT", CSVOnly: true, Text: func(r row) string { return console.Count(r.Attempt) }},
		{Name: "ACTION", CSVOnly: true, Text: func(r row) string { return r.Action }},
		{Name: "BY", Text: func(r row) string { return r.Actor }},
		{Name: "ERROR", CSVOnly: true, Text: func(r row) string { return r.Error }},
		{Name: "NOTE", CSVOnly: true, Text: func(r row) string { return r.Note }},
		{Name: "DETAIL", Text: auditDetail, Look: func(p tty.Palette, r row, s string) string {
			if r.Error != "" {
				return p.Bad(s)
			}
			return s
		}},
	}}
}

func auditStep(r wire.AuditRow) string {
	step := r.Step
	if r.Direction != "" && r.Direction != domain.Do {
		step = string(r.Direction) + " " + step
	}
	if r.Attempt > 1 {
		step += " #" + strconv.Itoa(r.Attempt)
	}
	return step
}

func auditDetail(r wire.AuditRow) string {
	var parts []string
	for _, s := range [...]string{r.Error, r.Note} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, "; ")
}
