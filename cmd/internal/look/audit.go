package look

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/projections/audit"
	"github.com/atonehq/atone/projections/search"
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
		Use:   "audit [RUN | SEARCH...]",
		Short: "Show the whole story of a run, or who did what across runs",
		Long: `Show the whole story of a run: each act and outcome with its time, how long it took, what it waited for, why it
was tried again, who did it, and its input and output (secret fields are redacted).

Without a run, list acts and outcomes across runs, newest first; all given conditions must hold. A search consists of words of
an error or a search field, and conditions: actor:kim what:run.paused saga:check* action:charge-card step:ship/3
run:order:4711 text:"card gone" age:>2h since:7d until:2026-01-31. A text that begins like a condition is a search: if a saga has
the name of a condition, name its runs by their ids.`,
		Example: fmt.Sprintf(`  %[1]s audit order:4711
  %[1]s audit 0198c0de-0000-7000-8000-000000000001 --follow
  %[1]s audit --by kim --since 7d
  %[1]s audit 'actor:kim what:run.paused since:7d'
  %[1]s audit --follow --failed
  %[1]s audit --failed --action charge-card -o csv --all > failures.csv`, env.Program.Name),
		Args: console.Usage(noMisspeltCommand),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || isAuditSearch(env, args[0]) {
				return auditAcross(cmd.Context(), env, &flags, search.InZone(strings.Join(args, " "), time.Local))
			}
			for _, name := range auditFilters {
				if cmd.Flags().Changed(name) {
					return console.UsageError{Err: fmt.Errorf("--%s selects across runs: leave out the run", name)}
				}
			}
			if err := env.CheckRun(args[0]); err != nil {
				return err
			}
			return env.With(cmd.Context(), access.Use{}, func(ctx context.Context, c *client.Client) error {
				id, err := env.Run(ctx, c, args[0])
				if err != nil {
					return err
				}
				if flags.follow {
					return followStory(ctx, env, c, id)
				}
				s, err := storyOf(ctx, c, id)
				if err != nil {
					return orSearch(env.MeantRun(ctx, c, args[0], err), args[0])
				}
				format := told.Format(env.Output)
				if format == "" || format == console.FormatTable || format == console.FormatWide {
					format = told.FormatText
				}
				return s.Write(env.Out, format, env.Location())
			})
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&flags.follow, "follow", "f", false, "go on with new events: of a run until it ends, across runs until interrupted")
	f.StringSliceVar(&flags.sagas, "saga", nil, "only of this saga; repeatable")
	f.StringSliceVar(&flags.whats, "what", nil, "only this act or outcome, such as run.started or attempt.failed; repeatable")
	f.StringSliceVar(&flags.actions, "action", nil, "only about this action; repeatable")
	f.StringSliceVar(&flags.actors, "by", nil, "only by this actor; repeatable")
	f.StringVar(&flags.step, "step", "", "only about this step")
	f.StringVar(&flags.text, "error", "", "only with these words, or beginnings of words, in the error or a searchable payload field")
	f.BoolVar(&flags.failed, "failed", false, "only with an error")
	flags.Period.AddFlags(f, "happened")
	flags.Paging.AddFlags(cmd)
	env.Formats(cmd, append([]string{console.FormatText}, console.Lists...)...)
	return cmd
}

// auditFilters are the flags that don't apply to one run.
var auditFilters = []string{"saga", "what", "action", "by", "step", "error", "failed", "since", "until", "limit", "cursor", "all", "oldest-first"}

// isAuditSearch reports whether the argument is a search rather than a run.
func isAuditSearch(env *access.Env, arg string) bool {
	name, _, _ := strings.Cut(arg, ":")
	return slices.Contains(search.Conditions(search.InAudit), name) || env.CheckRun(arg) != nil
}

// orSearch adds to the error of a run that does not exist which condition may have been meant.
func orSearch(err error, arg string) error {
	name, value, _ := strings.Cut(arg, ":")
	if meant := accept.Meant(name, search.Conditions(search.InAudit)); meant != "" && value != "" && (errors.Is(err, domain.ErrNotFound) || errors.Is(err, domain.ErrUnknownSaga)) {
		return fmt.Errorf("%w; as a search, did you mean %s:%s?", err, meant, value)
	}
	return err
}

// auditAcross lists what a search finds and the flags select.
func auditAcross(ctx context.Context, env *access.Env, flags *auditFlags, query string) error {
	if err := flags.Check(); err != nil {
		return err
	}
	f := audit.Filter{Sagas: flags.sagas, Whats: flags.whats, Actions: flags.actions, Actors: flags.actors, Step: flags.step,
		Text: flags.text, HasError: flags.failed, From: flags.Since.Time, To: flags.Until.Time, Ascending: flags.Ascending}
	return env.With(ctx, access.Use{}, func(ctx context.Context, c *client.Client) error {
		if flags.follow {
			return followAcross(ctx, env, c, query, f)
		}
		return console.Pages(&flags.Paging, auditListing(env), func(cursor string, limit int) (wire.Page[wire.AuditRow], error) {
			f.Cursor, f.Limit = cursor, limit
			return c.SearchAudit(ctx, query, f)
		})
	})
}

// followAcross writes acts and outcomes of all runs as they happen, until ctx ends, which is no
// error. Programs get a line of JSON for each.
func followAcross(ctx context.Context, env *access.Env, c *client.Client, query string, f audit.Filter) error {
	if env.Output == console.FormatCSV {
		return errNoFollowedCSV
	}
	p := env.Colours()
	for row, err := range c.FollowAudit(ctx, query, f) {
		if ctx.Err() != nil {
			return nil //nolint:nilerr // an interrupt is the usual end
		}
		switch {
		case err != nil:
		case env.Output == console.FormatJSON || env.Output == console.FormatNDJSON:
			err = console.PrintLines(env.Console, []wire.AuditRow{row})
		default:
			_, err = fmt.Fprintln(env.Out, auditLine(env, p, &row))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// auditLine is an act or outcome on one line.
func auditLine(env *access.Env, p tty.Palette, r *wire.AuditRow) string {
	words := []string{r.At.In(env.Location()).Format("15:04:05.000"), console.ShortID(r.Run), r.Saga, r.What}
	if step := auditStep(*r); step != "" {
		words = append(words, step)
	}
	if r.Actor != "" {
		words = append(words, "by "+r.Actor)
	}
	line := console.Plain(strings.Join(words, "  "))
	if detail := console.Plain(auditDetail(*r)); detail != "" {
		if r.Error != "" {
			detail = p.Bad(detail)
		}
		line += ": " + detail
	}
	return line
}

var errNoFollowedCSV = console.UsageError{Err: errors.New("--follow writes text or ndjson: give one with -o")}

// followStory writes a run's story as it happens. Machines get a line of JSON for each event.
func followStory(ctx context.Context, env *access.Env, c *client.Client, id domain.RunID) error {
	if env.Output == console.FormatCSV {
		return errNoFollowedCSV
	}
	p := env.Colours()
	for row, err := range story.Follow(ctx, c, id, 0) {
		if err == nil {
			if env.Output == console.FormatJSON || env.Output == console.FormatNDJSON {
				err = console.PrintLines(env.Console, []told.Line{row})
			} else {
				row = row.In(env.Location())
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
		{Name: "AT", Time: func(r row) time.Time { return r.At }},
		{Name: "RUN", Text: func(r row) string { return r.Run.String() }, Short: func(r row) string { return console.ShortID(r.Run) }},
		{Name: "REVISION", Wide: true, Text: func(r row) string { return strconv.FormatUint(r.Revision, 10) }},
		{Name: "SAGA", Rank: 2, Text: func(r row) string { return r.Saga }},
		{Name: "WHAT", Text: func(r row) string { return r.What }},
		{Name: "STEP", Long: true, Text: auditStep, Value: func(r row) string { return r.Step }},
		{Name: "DIRECTION", CSVOnly: true, Text: func(r row) string { return string(r.Direction) }},
		{Name: "ATTEMPT", CSVOnly: true, Text: func(r row) string { return console.Count(r.Attempt) }},
		{Name: "ACTION", Wide: true, Text: func(r row) string { return r.Action }},
		{Name: "BY", Rank: 1, Text: func(r row) string { return r.Actor }},
		{Name: "ERROR", CSVOnly: true, Text: func(r row) string { return r.Error }},
		{Name: "NOTE", CSVOnly: true, Text: func(r row) string { return r.Note }},
		{Name: "DETAIL", Long: true, Text: auditDetail, Look: func(p tty.Palette, r row, s string) string {
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
