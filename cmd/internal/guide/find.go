package guide

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/access"
	"github.com/atonehq/atone/cmd/internal/console"
)

// also lists words that people may search for and that the command's own help lacks.
var also = map[string]string{
	"why":                 "stuck hang hanging blocked slow reason explain cause nothing happens",
	"incidents":           "stuck broken problem trouble error on-call need attention",
	"events":              "domain facts messages payload browse",
	"rejected":            "event not started trigger failed dead letter queue poison skipped passed over missing run",
	"rejected retry":      "re-drive redrive replay again dead letter event",
	"rejected dismiss":    "drop ignore discard event",
	"retry":               "try again repeat rerun stuck attempts",
	"resolve":             "fix skip manual hand stuck",
	"cancel":              "stop abort rollback roll back undo revert compensate",
	"abandon":             "delete remove give up force kill close",
	"pause":               "freeze halt suspend",
	"resume":              "continue unpause",
	"runs":                "find filter workflow instance execution",
	"show":                "detail status inspect describe",
	"hold":                "down outage unavailable provider service maintenance broken",
	"audit":               "logs history trail timeline who log follow tail",
	"audit verify":        "tamper integrity hash corrupt changed",
	"start":               "launch trigger execute begin new create workflow",
	"invoke":              "call execute function",
	"signal":              "approve approval message wake human",
	"emit":                "publish message send event trigger",
	"undo-preview":        "dry run rollback compensation what would happen",
	"explore":             "outlook future possible outcomes which act what can still end well what if",
	"bulk":                "many mass batch several every",
	"stats":               "metric latency throughput slow performance",
	"export":              "dump download backup analyse",
	"serve":               "server daemon api web page ui browser http port",
	"worker":              "remote broker queue",
	"token create":        "login password access user permission auth key secret",
	"token revoke":        "remove delete access user",
	"projections status":  "view stale lag behind list old",
	"projections rebuild": "view stale index wrong list repair",
	"log accept-loss":     "corrupt lost damaged disk repair open",
	"sagas":               "workflow definition plan diagram mermaid code version",
	"actions":             "function definition timeout retries code",
	"completion":          "shell bash zsh fish tab",
}

// dull are words that say nothing about the command that a person wants.
var dull = strings.Fields("a an and are be can do does for from get got have how i in is it its me my of on or so that the then there this to what when where which with you your")

// found is a command and how well it fits.
type found struct {
	Command string `json:"command"`
	Does    string `json:"does"`
	Example string `json:"example"`

	score float64
}

// most is how many commands a search lists.
const most = 5

// find returns the commands that fit a question best, the best first.
func find(root *cobra.Command, question string) []found {
	var list []*cobra.Command
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				list = append(list, sub)
				walk(sub)
			}
		}
	}
	walk(root)
	texts := make([]map[string]float64, len(list))
	in := map[string]int{} // how many commands have a word
	for i, c := range list {
		texts[i] = weigh(c, strings.TrimPrefix(c.CommandPath(), root.Name()+" "))
		for w := range texts[i] {
			in[w]++
		}
	}
	var out []found
	for i, c := range list {
		score := 0.0
		for _, w := range stems(question) {
			if n := in[w]; n > 0 {
				score += texts[i][w] * math.Log(1+float64(len(list))/float64(n))
			}
		}
		if score > 0 {
			example, _, _ := strings.Cut(strings.TrimSpace(c.Example), "\n")
			line := strings.TrimSuffix(c.UseLine(), " [flags]")
			out = append(out, found{Command: line, Does: c.Short, Example: cmp.Or(example, line), score: score})
		}
	}
	slices.SortStableFunc(out, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	return out[:min(most, len(out))]
}

// weigh returns the words about a command and their weights.
func weigh(c *cobra.Command, path string) map[string]float64 {
	weights := map[string]float64{}
	add := func(text string, weight float64) {
		for _, w := range stems(text) {
			weights[w] = max(weights[w], weight)
		}
	}
	add(path, 6)
	add(also[path], 4)
	if path == "audit" {
		add("logs", 7) // what happened to runs, rather than the commands about the log's files
	}
	add(c.Short, 3)
	add(c.Long, 1)
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		add(f.Name, 1.5)
		add(f.Usage, 0.5)
	})
	return weights
}

// stems returns the words of a text in lower case, without endings and without dull ones.
func stems(text string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
		if slices.Contains(dull, w) {
			continue
		}
		for _, ending := range []string{"ing", "ed", "s"} {
			if stem, ok := strings.CutSuffix(w, ending); ok && len(stem) > 2 {
				w = stem
				break
			}
		}
		out = append(out, w)
	}
	return out
}

func newSearchCommand(root *cobra.Command, env *access.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "search WORDS...",
		Short:   "Find the command for what you want to do",
		Example: fmt.Sprintf("  %[1]s search \"why is my run stuck\"\n  %[1]s search undo everything of one customer", env.Program.Name),
		Args:    console.Usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			list := find(root, strings.Join(args, " "))
			if env.JSON() {
				steps := []console.Step{}
				if len(list) > 0 {
					steps = append(steps, console.Step{Command: list[0].Example, Why: list[0].Does})
				}
				return env.PrintJSON(map[string][]found{"commands": append([]found{}, list...)}, steps...)
			}
			if len(list) == 0 {
				return console.UsageError{Err: fmt.Errorf("no command is about %q", strings.Join(args, " ")),
					Next: []console.Step{{Command: env.Program.Name + " help", Why: "lists all commands"}}}
			}
			p := env.Colours()
			for _, f := range list {
				if _, err := fmt.Fprintf(env.Out, "%s\n    %s\n    %s\n", p.Bold(f.Command), f.Does, p.Dim(f.Example)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
