package empty

import (
	"encoding/json"
	"strings"

	"github.com/atonehq/atone/domain/visible"
)

// Program is the program behind the page, as its reader may use it.
type Program struct {
	// Name is how its command line is called, Server the address at which it serves.
	Name, Server string
	// First is the name of a saga that it has, or of an action where it has no saga; empty where it
	// has none of both. Input is a sample of its input.
	First  string
	Input  json.RawMessage
	Action bool
	// MayStart means that the reader may start runs.
	MayStart bool
}

// define is the command that works where there is nothing to start.
const define = "go doc github.com/atonehq/atone/saga.Define"

// command writes a command line of the program for its server. It is empty where a word could not
// be copied from a page as it is.
func (p *Program) command(words ...string) string {
	words = append([]string{p.Name}, words...)
	if p.Server != "" {
		words = append(words, "--server", p.Server)
	}
	for i, word := range words {
		if visible.Line(word) != word {
			return ""
		}
		words[i] = visible.Word(word)
	}
	return strings.Join(words, " ")
}

// Token is the command that makes a token for somebody.
func (p *Program) Token() string {
	return p.command("token", "create", "NAME", "--scope", "read,operate")
}

// start fills in how a first run is started: by a command, and by the page's form.
func (p *Program) start(page Page) *Page {
	page.Button, page.Path = "Start a run", "/start"
	switch {
	case p.First == "":
		page.About += " This program has no sagas and no actions, so it can start none: give them to program.Main, or register them with its coordinator."
		page.Command = define
		page.Button, page.Path = "See what it has", "/sagas"
		return &page
	case !p.MayStart:
		page.Button, page.Path = "See what can be started", "/sagas"
	}
	do := "start"
	if p.Action {
		do = "invoke"
	}
	words := []string{do, p.First}
	if input := string(p.Input); input != "" && input != "null" {
		words = append(words, "-d", input)
	}
	page.Command = p.command(words...)
	return &page
}
