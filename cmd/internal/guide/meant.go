package guide

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain/accept"
)

// forgive adds suggestions to the errors about misspelt commands and flags.
func forgive(c *cobra.Command) {
	c.SetFlagErrorFunc(flagError)
	if c.HasSubCommands() {
		check := c.Args
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := unknown(cmd, args); err != nil {
				return err
			}
			if check == nil {
				return nil
			}
			return check(cmd, args)
		}
	}
	for _, sub := range c.Commands() {
		forgive(sub)
	}
}

// unknown refuses a first argument that looks like a misspelt command. A command that takes no
// arguments refuses any.
func unknown(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, append([]string{sub.Name()}, sub.Aliases...)...)
		}
	}
	meant := accept.Meant(args[0], names)
	takes := cmd.HasParent() && cmd.Name()+" [" == cmd.Use[:min(len(cmd.Use), len(cmd.Name())+2)]
	if meant == "" && takes {
		return nil
	}
	path := cmd.CommandPath()
	err := console.UsageError{Err: fmt.Errorf("unknown command %q", args[0])}
	if meant != "" {
		err.Err = fmt.Errorf("unknown command %q: did you mean %s?", args[0], meant)
		err.Next = append(err.Next, console.Step{Command: path + " " + meant + " --help", Why: "explains it"})
	} else {
		err.Next = append(err.Next, console.Step{Command: path + " --help", Why: "lists the commands"})
	}
	if !cmd.HasParent() {
		err.Next = append(err.Next, console.Step{Command: path + " search " + console.Words(args[0]), Why: "finds commands by what they do"})
	}
	return err
}

// forgiveHelp has help refuse a command that does not exist.
func forgiveHelp(root *cobra.Command) {
	for _, help := range root.Commands() {
		if help.Name() != "help" {
			continue
		}
		help.Run = nil
		help.RunE = func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil {
				return console.UsageError{Err: err}
			}
			if about.HasSubCommands() {
				if err := unknown(about, rest); err != nil {
					return err
				}
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		}
	}
}

// flagError explains a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return console.UsageError{Err: err}
	}
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	// The input of a start is -d as the payload of a signal is, but --input of start-again.
	if missing.GetSpecifiedName() == "input" && cmd.Flags().Lookup("data-json") != nil {
		return console.UsageError{Err: fmt.Errorf("%w: did you mean -d, --data-json?", err)}
	}
	if meant := accept.Meant(missing.GetSpecifiedName(), names); meant != "" && len(missing.GetSpecifiedName()) > 1 {
		err = fmt.Errorf("%w: did you mean --%s?", err, meant)
	}
	return console.UsageError{Err: err}
}
