package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain/visible"
)

// Step is something to do next: a command, a sentence, or a command and what it is for.
type Step struct {
	// Command is a command line that can be copied; empty if there is none.
	Command string `json:"command,omitempty"`
	// Why says what the command does or, without a command, what to do.
	Why string `json:"why"`
}

// Text writes steps for people, on one line; empty without steps.
func Text(steps []Step) string {
	var parts []string
	for _, s := range steps {
		switch {
		case s.Command == "":
			parts = append(parts, s.Why)
		case s.Why == "":
			parts = append(parts, "`"+s.Command+"`")
		default:
			parts = append(parts, "`"+s.Command+"` "+s.Why)
		}
	}
	return strings.Join(parts, "; ")
}

// Hint writes steps for people to Err. With -o json they are in the output already: see
// [Console.PrintJSON].
func (c *Console) Hint(steps ...Step) error {
	if len(steps) == 0 || c.JSON() {
		return nil
	}
	_, err := fmt.Fprintf(c.Err, "next: %s\n", Plain(Text(steps)))
	return err
}

// AgainStep is the step of giving the command line again with further arguments. It leaves out the
// command if the command line has a payload, because a payload may hold secrets.
func (c *Console) AgainStep(why string, more ...string) Step {
	if c.noReason && slices.Contains(more, "--yes") {
		more = append([]string{"--reason", "WHY"}, more...)
	}
	for i, w := range c.Line {
		for _, flag := range payloadFlags {
			value, joined := strings.CutPrefix(w, flag)
			if w == flag && i+1 < len(c.Line) {
				value, joined = c.Line[i+1], true
			}
			if joined && value != "" && value != "-" && !strings.HasPrefix(strings.TrimPrefix(value, "="), "@") {
				return Step{Why: strings.TrimSuffix("give the command again with "+strings.Join(more, " "), " with ") + ", which " + why}
			}
		}
	}
	return Step{c.Again(more...), why}
}

// Missing notes whether the command line lacks the reason that the command needs, and asks for at a
// terminal: [Console.AgainStep] has a place for it.
func (c *Console) Missing(reason string) { c.noReason = strings.TrimSpace(reason) == "" }

// payloadFlags are the flags whose values are payloads.
var payloadFlags = []string{"-d", "--data-json", "--substitute", "--output-json"}

// Again returns the command line with further arguments, ready to copy. It leaves out the token,
// which is a secret.
func (c *Console) Again(more ...string) string {
	var words []string
	skip := false
	for _, w := range c.Line {
		switch {
		case skip:
			skip = false
		case w == "--token":
			skip = true
		case strings.HasPrefix(w, "--token="):
		default:
			words = append(words, visible.Word(w))
		}
	}
	return strings.Join(append(words, more...), " ")
}

// Without is like Again, but leaves out a flag and its value.
func (c *Console) Without(flag string, more ...string) string {
	return (&Console{Line: WithoutFlag(c.Line, flag)}).Again(more...)
}

// WithoutFlag returns a command line without a flag and its value.
func WithoutFlag(line []string, flag string) []string {
	line = slices.Clone(line)
	for i := 0; i < len(line); i++ {
		switch w := line[i]; {
		case w == "--"+flag:
			line = slices.Delete(line, i, min(i+2, len(line)))
			i--
		case strings.HasPrefix(w, "--"+flag+"="):
			line = slices.Delete(line, i, i+1)
			i--
		}
	}
	return line
}

// Words joins words into a part of a command line, quoted where needed.
func Words(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = visible.Word(w)
	}
	return strings.Join(out, " ")
}
