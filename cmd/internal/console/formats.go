package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The formats of commands.
const (
	FormatTable  = "table"
	FormatWide   = "wide" // a table with more columns, in which nothing is cut
	FormatJSON   = "json"
	FormatNDJSON = "ndjson" // one JSON value a line
	FormatCSV    = "csv"    // RFC 4180, with a header
	FormatText   = "text"
)

// Lists are the formats of a list.
var Lists = []string{FormatTable, FormatWide, FormatJSON, FormatNDJSON, FormatCSV}

// Formats gives a command an --output of its own; the first format is the default.
func (c *Console) Formats(cmd *cobra.Command, list ...string) {
	cmd.Flags().VarP(&OneOf{Value: &c.Output, List: list}, "output", "o", "the output format: "+strings.Join(list, ", "))
}

// OneOf is a flag that takes one text of a list. The first is the default.
type OneOf struct {
	Value *string
	List  []string
}

// String implements [pflag.Value].
func (f *OneOf) String() string {
	if f.Value == nil || *f.Value == "" {
		if len(f.List) == 0 {
			return ""
		}
		return f.List[0]
	}
	return *f.Value
}

// Set implements [pflag.Value].
func (f *OneOf) Set(s string) error {
	if !slices.Contains(f.List, s) {
		return fmt.Errorf("%q: use %s", s, alternatives(f.List))
	}
	*f.Value = s
	return nil
}

// alternatives lists the allowed values.
func alternatives(list []string) string {
	if len(list) == 2 {
		return list[0] + " or " + list[1]
	}
	return strings.Join(list, ", ")
}

// Type implements [pflag.Value].
func (*OneOf) Type() string { return "format" }

// asJSON is the flag --json: the same as -o json.
type asJSON struct{ output *string }

// JSONFlag adds --json.
func (c *Console) JSONFlag(f *pflag.FlagSet) {
	flag := f.VarPF(asJSON{&c.Output}, "json", "", "the same as -o json: for programs, with next_steps where there are some")
	flag.NoOptDefVal, flag.DefValue = "true", "false"
}

// String implements [pflag.Value].
func (j asJSON) String() string {
	return strconv.FormatBool(j.output != nil && *j.output == FormatJSON)
}

// Set implements [pflag.Value].
func (j asJSON) Set(s string) error {
	on, err := strconv.ParseBool(s)
	if on {
		*j.output = FormatJSON
	}
	return err
}

// Type implements [pflag.Value].
func (asJSON) Type() string { return "bool" }
