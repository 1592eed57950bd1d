package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// The formats that commands may have.
const (
	FormatTable  = "table"
	FormatJSON   = "json"
	FormatNDJSON = "ndjson" // one JSON value a line
	FormatCSV    = "csv"    // RFC 4180, with a header
	FormatText   = "text"
)

// Formats gives a command an --output of its own; the first format is the default.
func (c *Console) Formats(cmd *cobra.Command, list ...string) {
	cmd.Flags().VarP(&OneOf{Value: &c.Output, List: list}, "output", "o", "how to print: "+strings.Join(list, ", "))
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

// alternatives lists what may be used.
func alternatives(list []string) string {
	if len(list) == 2 {
		return list[0] + " or " + list[1]
	}
	return strings.Join(list, ", ")
}

// Type implements [pflag.Value].
func (*OneOf) Type() string { return "format" }
