package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/tty"
)

// Plan is what a command is about to do. Commands show it before they act.
type Plan struct {
	// Does is a verb phrase, such as "cancel run order:4711".
	Does string
	// Show writes the details for people; may be nil.
	Show func(c *Console) error
	// Value is the plan for programs: the member "plan" of their output.
	Value any
}

// ErrUnconfirmed means that a plan was shown and that nothing was done.
var ErrUnconfirmed = errors.New("nothing was done")

// YesFlag adds --yes, for [Console.Confirm].
func YesFlag(f *pflag.FlagSet, yes *bool) {
	f.BoolVarP(yes, "yes", "y", false, "act without asking; otherwise the plan is shown first")
}

// Confirm returns nil if the command may go ahead. With yes it returns at once. Otherwise it shows
// the plan and, at a terminal, asks, as [Console.Ask] does. Without a terminal, or with -o json, it
// returns [ErrUnconfirmed]. The plan goes to Err, or to Out with -o json.
func (c *Console) Confirm(ctx context.Context, p Plan, yes bool) error {
	if yes {
		return nil
	}
	if c.JSON() {
		type plan struct {
			Plan any  `json:"plan"`
			Done bool `json:"done"`
		}
		if err := c.PrintJSON(plan{p.Value, false}, c.AgainStep("does it", "--yes")); err != nil {
			return err
		}
		return fmt.Errorf("%w: this is the plan to %s", ErrUnconfirmed, p.Does)
	}
	if p.Show != nil {
		if err := p.Show(&Console{Out: c.Err, Err: c.Err, UTC: c.UTC, Local: c.Local}); err != nil {
			return err
		}
	}
	if !tty.Is(c.In) {
		return fmt.Errorf("%w: this is the plan to %s, and there is no terminal to ask at", ErrUnconfirmed, p.Does)
	}
	answer, err := c.Ask(ctx, p.Does+"? [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("%w: the answer was no", ErrUnconfirmed)
}

// Ask asks a person at the terminal and returns the answer without the white space around it; empty
// if there is none. It returns as soon as ctx ends, with an error that is [context.Canceled]: what
// reads the terminal then ends with the process.
func (c *Console) Ask(ctx context.Context, question string) (string, error) {
	if _, err := fmt.Fprint(c.Err, Plain(question)); err != nil {
		return "", err
	}
	answers := make(chan string, 1)
	go func() {
		answer, _ := bufio.NewReader(c.In).ReadString('\n')
		answers <- strings.TrimSpace(answer)
	}()
	select {
	case answer := <-answers:
		return answer, nil
	case <-ctx.Done():
		_, _ = fmt.Fprintln(c.Err) // what follows begins a line
		return "", unanswered{}
	}
}

// unanswered is the error of a question at which the command was interrupted.
type unanswered struct{}

// Error implements error.
func (unanswered) Error() string { return "interrupted: nothing was done" }

// Is reports that it was interrupted.
func (unanswered) Is(target error) bool { return target == context.Canceled }
