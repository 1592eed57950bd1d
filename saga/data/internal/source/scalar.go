package source

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

var (
	integer = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)$`)
	decimal = regexp.MustCompile(`^[-+]?(0|[1-9][0-9]*)?(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)
	// twofold are values that programs of YAML 1.1 and 1.2 read in different ways.
	twofold = regexp.MustCompile(`^[-+]?(0[0-9_]+|0[xXoObB][0-9a-fA-F_]+|[0-9][0-9_]*_[0-9_]*|[0-9]+(:[0-5]?[0-9])+|\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
)

// plain reads a value without quotes as YAML 1.2 does, and returns why it is refused, if it is.
func (n *Node) plain(text string) (why string) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		n.Kind, n.Text = Null, "null"
		return ""
	case "true", "True", "TRUE", "false", "False", "FALSE":
		n.Kind, n.Text = Bool, strings.ToLower(text)
		return ""
	case "<<":
		return "merge keys (<<) are not supported: write the members out"
	}
	switch {
	case twofold.MatchString(text):
		return strconv.Quote(text) + " can be read in several ways: quote it, or write a plain decimal number"
	case integer.MatchString(text):
		n.Kind, n.Text = Int, strings.TrimPrefix(text, "+")
		if _, err := strconv.ParseInt(n.Text, 10, 64); err != nil {
			return text + " does not fit an integer of 64 bits: quote it if it is a text"
		}
	case decimal.MatchString(text) && strings.ContainsAny(text, "0123456789"):
		return n.number(text)
	default:
		n.Kind, n.Text = Text, text
	}
	return ""
}

// number reads a number that is not an integer.
func (n *Node) number(text string) (why string) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text + " is beyond what a number can be"
	}
	raw, err := json.Marshal(f)
	if err != nil {
		return text + " is no number"
	}
	n.Kind, n.Text = Float, string(raw)
	return ""
}
