package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// walker goes through a JSON value, passing over selected members.
type walker struct {
	fields Fields
	cloak  *Cloak  // hides values that are known to be secret, if set
	out    *[]byte // where the redacted copy goes, if anywhere
	texts  func(path []string, text string)
	// skipped is given what a selected member holds, if set.
	skipped func(value json.RawMessage)
	path    []string
}

func (w *walker) all(payload []byte) error {
	if w.fields.hasAll() {
		w.skip(payload)
		w.write(string(redactedJSON))
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	return w.value(d)
}

func (w *walker) skip(value json.RawMessage) {
	if w.skipped != nil {
		w.skipped(value)
	}
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
	if err := w.encode(w.cloak.Text(key)); err != nil {
		return err
	}
	w.write(":")
	w.path = append(w.path, key)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	if len(w.fields) > 0 && w.fields.has(w.path) {
		w.write(string(redactedJSON))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		w.skip(value)
		return nil
	}
	return w.value(d)
}

func (w *walker) scalar(token json.Token) error {
	if w.texts != nil && token != nil {
		w.texts(w.path, fmt.Sprint(token))
	}
	switch v := token.(type) {
	case string:
		token = w.cloak.Text(v)
	case json.Number:
		if w.cloak != nil && w.cloak.knows(v.String()) {
			token = Redacted
		}
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
