package secret

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// walker goes through a JSON value and skips selected members. Except for hidden values and the
// space between values, it copies the JSON as it is written.
type walker struct {
	fields Fields
	cloak  *Cloak  // hides known secret values, if set
	out    *[]byte // receives the redacted copy, if set
	texts  func(path []string, text string)
	// skipped, if set, is called with the value of each selected member.
	skipped func(value json.RawMessage)
	path    []string
}

// asRecorded also reads payloads from before payloads were checked: members twice, bytes that are
// not UTF-8.
var asRecorded = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

func (w *walker) all(payload []byte) error {
	if w.fields.hasAll() {
		w.skip(payload)
		w.write(redactedJSON)
		return nil
	}
	return w.value(jsontext.NewDecoder(bytes.NewBuffer(payload), asRecorded...))
}

func (w *walker) value(d *jsontext.Decoder) error {
	begin := d.PeekKind()
	if begin != '{' && begin != '[' {
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		w.scalar(raw)
		return nil
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	end := begin + 2 // of { to }, and of [ to ]
	w.write([]byte{byte(begin)})
	for first := true; d.PeekKind() != end; first = false {
		if !first {
			w.write([]byte{','})
		}
		var err error
		if begin == '{' {
			err = w.member(d)
		} else {
			err = w.value(d)
		}
		if err != nil {
			return err
		}
	}
	w.write([]byte{byte(end)})
	_, err := d.ReadToken()
	return err
}

func (w *walker) member(d *jsontext.Decoder) error {
	name, err := d.ReadValue()
	if err != nil {
		return err
	}
	key := unquote(name)
	w.text(name, key)
	w.write([]byte{':'})
	w.path = append(w.path, key)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if len(w.fields) > 0 && w.fields.has(w.path) {
		w.write(redactedJSON)
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		w.skip(json.RawMessage(value))
		return nil
	}
	return w.value(d)
}

func (w *walker) scalar(raw jsontext.Value) {
	text := string(raw)
	quoted := raw.Kind() == '"'
	if quoted {
		text = unquote(raw)
	}
	if w.texts != nil && raw.Kind() != 'n' {
		w.texts(w.path, text)
	}
	switch {
	case quoted:
		w.text(raw, text)
	// up: the walk asks the cloak what to hide in the copy
	case raw.Kind() == '0' && w.cloak != nil && w.cloak.knows(text):
		w.write(redactedJSON)
	default:
		w.write(raw)
	}
}

// text writes a string without the secret values in it. It gets the string both as written and
// unquoted.
func (w *walker) text(raw []byte, text string) {
	if w.out == nil {
		return
	}
	// up: the walk asks the cloak what to hide in the copy
	if masked := w.cloak.Text(text); masked != text {
		// The error is only about bytes that are not UTF-8, which it replaces.
		raw, _ = jsontext.AppendQuote(nil, masked)
	}
	w.write(raw)
}

func (w *walker) write(b []byte) {
	if w.out != nil {
		*w.out = append(*w.out, b...)
	}
}

func (w *walker) skip(value json.RawMessage) {
	if w.skipped != nil {
		w.skipped(value)
	}
}

// unquote returns the value of a JSON string. It replaces bytes that are not UTF-8.
func unquote(raw []byte) string {
	text, _ := jsontext.AppendUnquote(nil, raw) // fails only for such bytes
	return string(text)
}
