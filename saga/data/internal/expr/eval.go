package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Values gives an evaluation what it reads, each value once. It is not safe for concurrent use.
type Values struct {
	// Read returns the JSON of a root, a variable's name or steps.NAME, and whether there is one.
	Read  func(root string) (json.RawMessage, bool)
	known map[string]any
}

// FailedError is an expression that failed. Its text names the file, the line and the values that
// were read.
type FailedError struct {
	Where  string
	Text   string
	Reason string
	Values []string
}

// Error implements error.
func (e *FailedError) Error() string {
	text := fmt.Sprintf("%s: ${ %s }: %s", e.Where, e.Text, e.Reason)
	if len(e.Values) > 0 {
		text += " (" + strings.Join(e.Values, ", ") + ")"
	}
	return text
}

// read returns a root's value; nil where there is none.
func (v *Values) read(root string, t *Type) (any, error) {
	if value, ok := v.known[root]; ok {
		return value, nil
	}
	raw, ok := v.Read(root)
	var value any
	if ok && len(raw) > 0 {
		var err error
		if value, err = t.fromJSON(raw); err != nil {
			return nil, err
		}
	}
	if v.known == nil {
		v.known = map[string]any{}
	}
	v.known[root] = value
	return value, nil
}

// Eval returns the expression's value.
func (e *Expr) eval(v *Values) (ref.Val, error) {
	vars, steps := map[string]any{}, map[string]any{}
	vars["steps"] = steps
	for root, t := range e.roots {
		value, err := v.read(root, t)
		if err != nil {
			return nil, e.failed(v, err.Error())
		}
		if name, ok := cutStep(root); !ok {
			vars[root] = value
		} else if value != nil {
			steps[name] = value
		}
	}
	value, _, err := e.program.Eval(vars)
	if err != nil {
		return nil, e.failed(v, reason(err))
	}
	return value, nil
}

// reason is why an evaluation ended.
func reason(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "cost limit exceeded"):
		return fmt.Sprintf("it takes more than %d steps: compute less in one expression, or do it in an action", maxCost)
	case strings.Contains(text, "memory limit exceeded"):
		return "its values are too large: compute less in one expression, or do it in an action"
	}
	return strings.TrimPrefix(text, "no such overload: ")
}

// maxTold bounds a value that is told, in bytes.
const maxTold = 80

// failed makes the error of an evaluation.
func (e *Expr) failed(v *Values, why string) error {
	at := fmt.Sprintf("%s:%d:%d", e.file, e.at.Line, e.at.Col)
	text := strings.Join(strings.Fields(e.text), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	failed := &FailedError{Where: at, Text: text, Reason: why}
	for _, path := range e.paths {
		if len(failed.Values) == 5 {
			break
		}
		failed.Values = append(failed.Values, path+" = "+e.tell(v, path))
	}
	return failed
}

// tell returns the value at a path as text. Secret ones are not told, nor those that hold secrets.
func (e *Expr) tell(v *Values, path string) string {
	root, rest := path, ""
	for r := range e.roots {
		if path == r || strings.HasPrefix(path, r+".") {
			root, rest = r, strings.TrimPrefix(path[len(r):], ".")
		}
	}
	value, t := v.known[root], e.roots[root]
	if t == nil {
		return "?"
	}
	for name := range strings.SplitSeq(rest, ".") {
		if name == "" {
			break
		}
		f := t.Field(name)
		if f != nil && f.Secret {
			return "(secret)"
		}
		members, _ := value.(map[string]any)
		value, t = members[name], Open
		if f != nil {
			t = f.Type
		}
	}
	if len(t.Secrets()) > 0 {
		return "(holds a secret)"
	}
	if value == nil {
		return "(absent)"
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return "?"
	}
	if len(raw) > maxTold {
		return strings.ToValidUTF8(string(raw[:maxTold]), "") + "…"
	}
	return string(raw)
}

// asText returns a value as it stands within a text.
func inText(v ref.Val) (string, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Bool, types.Int, types.Uint, types.Double, types.Timestamp:
		text, ok := v.ConvertToType(types.StringType).(types.String)
		if ok {
			return string(text), nil
		}
	}
	return "", errors.New("within a text an expression must give a text, a number, or true or false; it gives " + v.Type().TypeName())
}
