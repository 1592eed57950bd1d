package program

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
	period
	paging
}

func newAuditCommand(env *environment) *cobra.Command {
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
  %[1]s audit --failed --action charge-card -o csv --all > failures.csv`, env.app.Name),
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return env.auditAcross(cmd.Context(), &flags)
			}
			for _, name := range auditFilters {
				if cmd.Flags().Changed(name) {
					return usageError{fmt.Errorf("--%s selects across runs: leave the run away", name)}
				}
			}
			id, err := parseRun(args[0])
			if err != nil {
				return err
			}
			return env.with(cmd.Context(), use{}, func(ctx context.Context, c *client.Client) error {
				if flags.follow {
					return env.followStory(ctx, c, id)
				}
				s, err := storyOf(ctx, c, id)
				if err != nil {
					return err
				}
				format := told.Format(env.output)
				if format == "" || format == formatTable {
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
	flags.period.addFlags(f, "happened")
	flags.paging.addFlags(cmd)
	env.formats(cmd, formatText, formatTable, formatJSON, formatNDJSON, formatCSV)
	cmd.AddCommand(newVerifyCommand(env), newAnchorCommand(env), newKeygenCommand(env))
	return cmd
}

// auditFilters are the flags that make no sense for one run.
var auditFilters = []string{"saga", "what", "action", "by", "step", "error", "failed", "since", "until", "limit", "cursor", "all", "oldest-first"}

func (env *environment) auditAcross(ctx context.Context, flags *auditFlags) error {
	if flags.follow {
		return usageError{errors.New("--follow needs a run")}
	}
	if err := flags.check(); err != nil {
		return err
	}
	f := audit.Filter{Sagas: flags.sagas, Whats: flags.whats, Actions: flags.actions, Actors: flags.actors, Step: flags.step,
		Text: flags.text, HasError: flags.failed, From: flags.since.Time, To: flags.until.Time, Ascending: flags.ascending}
	return env.with(ctx, use{}, func(ctx context.Context, c *client.Client) error {
		return pages(&flags.paging, env.auditListing(), func(cursor string, limit int) (wire.Page[wire.AuditRow], error) {
			f.Cursor, f.Limit = cursor, limit
			return c.Audit(ctx, f)
		})
	})
}

// followStory writes a run's story as it happens. Machines get a line of JSON for each event.
func (env *environment) followStory(ctx context.Context, c *client.Client, id domain.RunID) error {
	if env.output == formatCSV {
		return usageError{errors.New("--follow writes text or ndjson: give one with -o")}
	}
	p := env.colours()
	for row, err := range followRun(ctx, c, id) {
		if err == nil {
			if env.output == formatJSON || env.output == formatNDJSON {
				err = printLines(env, []told.Line{row})
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
func (env *environment) auditListing() *listing[wire.AuditRow] {
	type row = wire.AuditRow
	return &listing[row]{env: env, none: "no such acts or outcomes", columns: []column[row]{
		{name: "AT", text: func(r row) string { return clock(r.At) }, value: func(r row) string { return stamp(r.At) }},
		{name: "RUN", text: func(r row) string { return r.Run.String() }},
		{name: "REVISION", csvOnly: true, text: func(r row) string { return strconv.FormatUint(r.Revision, 10) }},
		{name: "SAGA", text: func(r row) string { return r.Saga }},
		{name: "WHAT", text: func(r row) string { return r.What }},
		{name: "STEP", text: auditStep, value: func(r row) string { return r.Step }},
		{name: "DIRECTION", csvOnly: true, text: func(r row) string { return string(r.Direction) }},
		{name: "ATTEMPT", csvOnly: true, text: func(r row) string { return count(r.Attempt) }},
		{name: "ACTION", csvOnly: true, text: func(r row) string { return r.Action }},
		{name: "BY", text: func(r row) string { return r.Actor }},
		{name: "ERROR", csvOnly: true, text: func(r row) string { return r.Error }},
		{name: "NOTE", csvOnly: true, text: func(r row) string { return r.Note }},
		{name: "DETAIL", text: auditDetail, look: func(p tty.Palette, r row, s string) string {
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
