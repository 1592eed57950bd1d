package program

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "write docs/cli.md anew")

const cliDoc = "../../docs/cli.md"

// docs/cli.md is made from the commands themselves: go test ./cmd/program -run
// TestCommandsAreDocumented -rewrite
func TestCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	root := testRoot()
	var doc bytes.Buffer
	doc.WriteString(cliIntro)
	for _, e := range exitTexts {
		fmt.Fprintf(&doc, "| %d | %s |\n", e.code, e.text)
	}
	doc.WriteString("\n## Flags of every command\n\n" + flagTable(root.PersistentFlags()))
	doc.WriteString("\n## Commands\n")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" && sub.Name() != "exit-codes" {
				require.NotEmpty(t, sub.Short, sub.CommandPath())
				require.NotEmpty(t, sub.Example, "%s needs an example", sub.CommandPath())
				document(&doc, sub)
				walk(sub)
			}
		}
	}
	walk(root)
	if *rewrite {
		require.NoError(t, os.WriteFile(cliDoc, doc.Bytes(), 0o644))
	}
	stored, err := os.ReadFile(cliDoc)
	require.NoError(t, err)
	require.Equal(t, doc.String(), string(stored), "docs/cli.md is out of date: go test ./cmd/program -run TestCommandsAreDocumented -rewrite")
}

// testRoot returns the commands of the atone binary, without its own.
func testRoot() *cobra.Command {
	app := App{Name: "atone"}
	env := app.env(Streams{})
	env.Getenv = func(string) string { return "" }
	return newRoot(&app, env)
}

func document(doc *bytes.Buffer, c *cobra.Command) {
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(doc, "\n### %s\n\n%s\n", strings.TrimPrefix(c.CommandPath(), "atone "), text)
	if c.Runnable() {
		fmt.Fprintf(doc, "\n    %s\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
	}
	fmt.Fprintf(doc, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	if table := flagTable(c.LocalNonPersistentFlags()); table != "" {
		doc.WriteString("\n" + table)
	}
}

// flagTable lists flags as a Markdown table.
func flagTable(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name += ", `-" + f.Shorthand + "`"
		}
		usage := strings.ReplaceAll(f.Usage, "|", `\|`)
		switch f.DefValue {
		case "", "[]", "false", "0", "0s":
		default:
			usage += " (default `" + f.DefValue + "`)"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", name, usage)
	})
	if b.Len() == 0 {
		return ""
	}
	return "| flag | meaning |\n|---|---|\n" + b.String()
}

const cliIntro = `# The command line

This page is made from the commands themselves; ` + "`atone help COMMAND`" + ` says the same. A program that calls
` + "`program.Main`" + ` with sagas of its own has all of these commands under its own name. The atone binary has
` + "`atone demo`" + ` and ` + "`atone bench`" + ` besides.

**Where commands work.** With ` + "`--server URL`" + ` (or ATONE_SERVER) a command talks to a running server over HTTP, with the API
token in ATONE_TOKEN; the token's name is the actor in the audit trail. Without it, it opens the data directory ` + "`--data DIR`" + `
(or ATONE_DATA) itself, which only works while no server runs on it. What is on the command line goes before the
environment.

**Runs** are named by their id, the last 6 or more digits of it, or SAGA:KEY where they were started with a key; flags that take a run take the same.

**Output.** Tables are for people; ` + "`--json`" + ` (` + "`-o json`" + `) is for programs, and lists can be had as ` + "`ndjson`" + ` or ` + "`csv`" + ` too. Results
go to standard output, all else (progress, hints, errors) to standard error. With ` + "`--json`" + ` errors are JSON as well:
` + "`{\"error\", \"next\", \"next_steps\", \"exit_code\"}`" + `. Objects have ` + "`next_steps`" + ` where there is something to do next: a list of
` + "`{\"command\", \"why\"}`" + `, whose commands can be given as they are. Colours appear on terminals only, and not with NO_COLOR. Fields that a
saga marks secret are redacted everywhere but in the output of a run that a command waits for.

**On a terminal** a table is as wide as the terminal. First run ids are shortened to their last digits, then long texts are cut, then
columns are hidden, the least important first; a line says which. ` + "`-o wide`" + ` shows all columns, more than the table has, and cuts
nothing. A text that is higher than the terminal goes through a pager: ATONE_PAGER, else PAGER, else less; ` + "`cat`" + ` means none.
Times are told as "5m ago" or "in 2h"; ` + "`--utc`" + ` and ` + "`--local`" + ` write them out, in the zone that the table's head names. JSON and
CSV always have them in RFC 3339.

**Plans.** A command that acts on more than one run, undoes or leaves effects, or takes something away for good (` + "`bulk`" + `, ` + "`cancel`" + `,
` + "`resolve`" + `, ` + "`abandon`" + `, ` + "`token revoke`" + `, ` + "`log accept-loss`" + `) first shows what it would do. At a terminal it then asks. Without
one it does nothing and ends with exit code 14; with ` + "`--json`" + ` the output then is ` + "`{\"plan\", \"done\": false, \"next_steps\"}`" + `. ` + "`--yes`" + ` does it
without asking.

## Exit codes

| code | meaning |
|---|---|
`

// Every command line in docs/operations.md is one that there is: at night nobody wants to find out
// that it is not.
func TestCommandsInTheOperatorsPageExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	found := 0
	for _, m := range regexp.MustCompile("(?m)(?:^|`|&& )atone ([^`#\n]+)").FindAllStringSubmatch(string(page), -1) {
		words := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(m[1], -1)
		root := testRoot()
		cmd, rest, err := root.Find(words)
		require.NoError(t, err, m[0])
		require.NotEqual(t, root, cmd, "%s: no such command", m[0])
		require.NoError(t, cmd.ParseFlags(rest), m[0])
		found++
	}
	require.Greater(t, found, 30)
}
