package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
)

// Redacted is what stands in the place of a secret value.
const Redacted = "•••"

// Fields selects members of JSON payloads: a name selects members of that name at any depth, a
// dotted path (address.city) the member at that path from the root, lists passed through.
// Names are compared without regard to case, as encoding/json does. A name "*" selects everything.
type Fields []string

// has reports whether the member at the path is selected.
func (f Fields) has(path []string) bool {
	for _, name := range f {
		if name == "*" || strings.EqualFold(name, path[len(path)-1]) || strings.Contains(name, ".") && strings.EqualFold(name, strings.Join(path, ".")) {
			return true
		}
	}
	return false
}

// Redact returns the payload with the values of the secret fields replaced by [Redacted]. What
// is no JSON becomes Redacted as a whole, if any field is secret.
func Redact(payload json.RawMessage, secret Fields) json.RawMessage {
	if len(payload) == 0 || len(secret) == 0 {
		return payload
	}
	out := make([]byte, 0, len(payload))
	w := walker{fields: secret, out: &out}
	if err := w.all(payload); err != nil {
		return json.RawMessage(`"` + Redacted + `"`)
	}
	return out
}

// Texts returns the strings, numbers and truths that the selected fields of the payload hold,
// in order. Nothing below a secret field is returned.
func (f Fields) Texts(payload json.RawMessage, secret Fields) []string {
	if len(payload) == 0 || len(f) == 0 {
		return nil
	}
	var texts []string
	w := walker{fields: secret, texts: func(path []string, text string) {
		for i := range path {
			if f.has(path[:i+1]) {
				texts = append(texts, text)
				return
			}
		}
	}}
	if err := w.all(payload); err != nil {
		return nil
	}
	return texts
}

// walker goes through a JSON value, passing over selected members.
type walker struct {
	fields Fields
	out    *[]byte // where the redacted copy goes, if anywhere
	texts  func(path []string, text string)
	path   []string
}

func (w *walker) all(payload []byte) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if len(w.fields) > 0 && w.fields.hasAll() {
		w.write(`"` + Redacted + `"`)
		return nil
	}
	return w.value(d)
}

func (f Fields) hasAll() bool {
	for _, name := range f {
		if name == "*" {
			return true
		}
	}
	return false
}

func (w *walker) write(s string) {
	if w.out != nil {
		*w.out = append(*w.out, s...)
	}
}

func (w *walker) value(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return w.scalar(token)
	}
	w.write(delim.String())
	for first := true; d.More(); first = false {
		if !first {
			w.write(",")
		}
		if delim == '{' {
			err = w.member(d)
		} else {
			err = w.value(d)
		}
		if err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return err
	}
	w.write(end.(json.Delim).String())
	return nil
}

func (w *walker) member(d *json.Decoder) error {
	name, err := d.Token()
	if err != nil {
		return err
	}
	key, _ := name.(string)
	if err := w.encode(key); err != nil {
		return err
	}
	w.write(":")
	w.path = append(w.path, key)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if w.fields.has(w.path) {
		w.write(`"` + Redacted + `"`)
		var skipped json.RawMessage
		return d.Decode(&skipped)
	}
	return w.value(d)
}

func (w *walker) scalar(token json.Token) error {
	if w.texts != nil && token != nil {
		w.texts(w.path, fmt.Sprint(token))
	}
	return w.encode(token)
}

func (w *walker) encode(v any) error {
	if w.out == nil {
		return nil
	}
	b, err := json.Marshal(v)
	*w.out = append(*w.out, b...)
	return err
}

// errNoPlan means that a plan's stream is empty or holds none.
var errNoPlan = errors.New("plan not found")

// readPlanFields reads the secret and searchable fields of a plan from its stream. Where the plan
// is not there everything is secret: nobody can say what is not.
func readPlanFields(ctx context.Context, source Source, hash string) (secret, searchable Fields, err error) {
	for r, err := range source.ReadStream(ctx, domain.PlanStream(hash), 0) {
		if err != nil {
			return nil, nil, fmt.Errorf("read plan %s: %w", hash, err)
		}
		plan, err := domain.ParsePlan(r.Data)
		if err != nil {
			return Fields{"*"}, nil, fmt.Errorf("%w: %w", errNoPlan, err)
		}
		return plan.Secret, plan.Searchable, nil
	}
	return Fields{"*"}, nil, fmt.Errorf("%s: %w", hash, errNoPlan)
}
