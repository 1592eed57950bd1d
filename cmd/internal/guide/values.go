package guide

import (
	"context"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/projections/runs"
	"github.com/atonehq/atone/projections/search"
)

// values asks the server, or the directory, for what completion proposes.
type values struct{ env *access.Env }

// patience is how long a shell waits for proposals.
const patience = 2 * time.Second

// recent is how many of the latest runs are proposed.
const recent = 100

// ask makes a completion from a question. If the question fails, it proposes and prints nothing:
// output would end up in the line that the person is typing.
func (v *values) ask(question func(ctx context.Context, c *client.Client, begun string) ([]string, error)) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), patience)
		defer cancel()
		silent, quiet := *v.env, *v.env.Console
		quiet.Err, silent.Console = io.Discard, &quiet
		var list []string
		err := silent.With(ctx, access.Use{}, func(ctx context.Context, c *client.Client) (err error) {
			list, err = question(ctx, c, begun)
			return err
		})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return slices.DeleteFunc(list, func(s string) bool { return !strings.HasPrefix(s, begun) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// with adds a description, which shells show beside a proposal.
func with(proposal, about string) string {
	return proposal + "\t" + console.Plain(about)
}

func (*values) sagas(ctx context.Context, c *client.Client, _ string) ([]string, error) {
	list, err := c.Sagas(ctx)
	var out []string
	for i := range list {
		if list[i].Latest {
			out = append(out, with(list[i].Name, list[i].Description))
		}
	}
	return out, err
}

func (*values) actions(ctx context.Context, c *client.Client, _ string) ([]string, error) {
	list, err := c.Actions(ctx)
	var out []string
	for i := range list {
		out = append(out, with(list[i].Name, list[i].Description))
	}
	return out, err
}

func (*values) views(ctx context.Context, c *client.Client, _ string) ([]string, error) {
	list, err := c.Projections(ctx)
	var out []string
	for i := range list {
		out = append(out, list[i].View)
	}
	return out, err
}

// held proposes the actions that are held.
func (*values) held(ctx context.Context, c *client.Client, _ string) ([]string, error) {
	list, err := c.Holds(ctx)
	var out []string
	for i := range list {
		out = append(out, with(list[i].Action, list[i].Reason))
	}
	return out, err
}

// signals proposes the signals that the run's plan awaits, those that are awaited now first.
func (v *values) signals(run string) func(ctx context.Context, c *client.Client, _ string) ([]string, error) {
	return func(ctx context.Context, c *client.Client, _ string) ([]string, error) {
		id, err := v.env.Run(ctx, c, run)
		if err != nil {
			return nil, err
		}
		why, err := c.Why(ctx, id)
		var out []string
		for _, l := range why.Levers {
			for _, name := range l.Names {
				out = append(out, with(name, "awaited now"))
			}
			for _, name := range l.Later {
				out = append(out, with(name, "awaited later"))
			}
		}
		return out, err
	}
}

// plainKey matches keys that need no quotes in a search.
var plainKey = regexp.MustCompile(`^[\w.-]+$`)

// runs proposes the latest runs that begin like this, as SAGA:KEY where they have a key.
func (*values) runs(ctx context.Context, c *client.Client, begun string) ([]string, error) {
	f, text := runs.Filter{Limit: recent}, ""
	if saga, key, ok := strings.Cut(begun, ":"); ok {
		if f.Sagas = []string{saga}; plainKey.MatchString(key) {
			text = "key:" + key + "*"
		}
	}
	page, err := c.SearchRuns(ctx, text, f)
	var out []string
	for i := range page.Items {
		r := &page.Items[i]
		about := r.Saga + " " + string(r.State)
		if r.Key != "" && r.Parent == nil && console.Plain(r.Key) == r.Key {
			out = append(out, with(r.Saga+":"+r.Key, about))
		}
		out = append(out, with(r.ID.String(), about))
	}
	return out, err
}

// labels proposes labels of runs: names, then values.
func (*values) labels(ctx context.Context, c *client.Client, begun string) ([]string, error) {
	const condition = "label:"
	list, err := c.Suggestions(ctx, search.InRuns, condition+begun)
	var out []string
	for _, s := range list {
		if label, ok := strings.CutPrefix(s.Part, condition); ok && !strings.ContainsAny(label, `"*`) {
			out = append(out, label)
		}
	}
	return out, err
}

// conditions proposes how a search can continue.
func (*values) conditions(in search.List) func(ctx context.Context, c *client.Client, begun string) ([]string, error) {
	return func(ctx context.Context, c *client.Client, begun string) ([]string, error) {
		list, err := c.Suggestions(ctx, in, begun)
		var out []string
		for _, s := range list {
			out = append(out, with(s.Text, s.Note))
		}
		return out, err
	}
}
