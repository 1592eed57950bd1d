package explore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/story"
	"github.com/atonehq/atone/saga/explore"
)

// What became of explorations; each has an exit code of its own.
var (
	// ErrBroken means that a schedule breaks something.
	ErrBroken = errors.New("broken")
	// ErrCut means that nothing is broken, and that not everything was tried.
	ErrCut = errors.New("not everything was tried")
	// ErrNothing means that the program offers no exploration.
	ErrNothing = errors.New("nothing to explore")
)

// command is the command with its flags.
type command struct {
	env    *access.Env
	how    explore.Search
	report string
	keep   bool
}

// Command returns the command. What ofRun does, it does for a run.
func Command(env *access.Env, ofRun *cobra.Command) *cobra.Command {
	c := &command{env: env}
	cmd := &cobra.Command{
		Use:   "explore [SAGA|RUN]",
		Short: "Play a saga through every way in which the world can answer, or show " + ofRun.Short,
		Long: `With SAGA: play it through every way in which the world can answer, on a world in memory: each single thing that can go
wrong in a run, and each two of them. This program offers the world (program.App.Explorations); without SAGA, all that
it offers are played. Nothing outside is touched, and no server or data directory is needed.

With --record, what was found is recorded in the log with the plan and the build, by whom and when. Nothing is recorded
of a build without a revision or with changes that are not committed, nor of a search that did not try everything.

` + ofRun.Long,
		Example: fmt.Sprintf("  %[1]s explore signup\n  %[1]s explore signup --report signup.html\n  %[1]s explore signup --replay 'create-user do #1 = failed-done'\n  %[1]s explore --record\n", env.Program.Name) + ofRun.Example,
		Args:    console.Usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !c.has(args[0]) {
				if err := onlyOfSagas(cmd); err != nil {
					return err
				}
				return ofRun.RunE(cmd, args)
			}
			c.how.Stop = cmd.Context().Done()
			return c.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.DurationVar(&c.how.For, "for", 0, "stop each search after this time, such as 30s")
	f.IntVar(&c.how.Budget, "budget", 0, "play at most this many schedules (default: as the program says)")
	f.IntVar(&c.how.Faults, "faults", 0, "how many things go wrong in one run at the most; more than 2 are chosen by --seed (default: as the program says)")
	f.Uint64Var(&c.how.Seed, "seed", 0, "chooses the schedules with more than two faults")
	f.StringVar(&c.how.Replay, "replay", "", "play this one schedule, as a report printed it, and print its story")
	f.StringVar(&c.report, "report", "", "write a page of HTML to this file; with several sagas, the name of each is put before the extension")
	f.BoolVar(&c.keep, "record", false, "record what was found on the server or in the data directory: sagas, the API and the page show it")
	env.Formats(cmd, console.FormatTable, console.FormatJSON)
	return cmd
}

// onlyOfSagas refuses flags that are about sagas.
func onlyOfSagas(cmd *cobra.Command) error {
	for _, flag := range []string{"for", "budget", "faults", "seed", "replay", "report", "record"} {
		if cmd.Flags().Changed(flag) {
			return console.UsageError{Err: fmt.Errorf("--%s is about a saga, and this program has none of that name", flag)}
		}
	}
	return nil
}

// check refuses flags that make no sense.
func (c *command) check(args []string) error {
	var errs []error
	if c.how.For < 0 || c.how.Budget < 0 || c.how.Faults < 0 {
		errs = append(errs, errors.New("--for, --budget and --faults are not negative"))
	}
	if c.how.Replay != "" && len(args) == 0 {
		errs = append(errs, errors.New("--replay needs the saga that it is of"))
	}
	if c.keep {
		if c.how.Replay != "" {
			errs = append(errs, errors.New("--record records whole searches: leave out --replay"))
		}
		errs = append(errs, c.env.Program.Build().Validate())
	}
	if err := errors.Join(errs...); err != nil {
		return console.UsageError{Err: err}
	}
	return nil
}

func (c *command) run(ctx context.Context, args []string) error {
	if err := c.check(args); err != nil {
		return err
	}
	offers, err := c.chosen(args)
	if err != nil {
		return err
	}
	c.how.Describe = story.Sentence
	var found []Found
	var errs []error
	for _, o := range offers {
		r, err := o.Search(c.how)
		if err != nil {
			return fmt.Errorf("explore %s: %w", o, err)
		}
		f := Found{offer: o, Result: r}
		found = append(found, f)
		errs = append(errs, f.err())
		if c.report != "" {
			if err := os.WriteFile(c.page(o, len(offers)), r.Page(o.String()), 0o644); err != nil {
				return fmt.Errorf("--report: %w", err)
			}
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := c.print(found); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if c.keep {
		if err := c.record(ctx, found); err != nil {
			return err
		}
	}
	return worst(errs)
}

// worst returns the error that the command ends with: one that says that something is broken before
// others.
func worst(errs []error) error {
	for _, err := range errs {
		if errors.Is(err, ErrBroken) {
			return err
		}
	}
	return errors.Join(errs...)
}

// page returns the file of a report.
func (c *command) page(o *offer, of int) string {
	if of == 1 {
		return c.report
	}
	ext := filepath.Ext(c.report)
	return strings.TrimSuffix(c.report, ext) + "-" + strings.ReplaceAll(o.String(), " ", "_") + ext
}
