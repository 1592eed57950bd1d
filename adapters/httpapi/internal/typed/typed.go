package typed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/atonehq/atone/domain/shape"
	"github.com/atonehq/atone/saga"
)

// notInNames matches characters that the name of a component can't have.
var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// Document adds the schemas of sagas and actions to an OpenAPI document in JSON.
func Document(doc json.RawMessage, sagas []saga.SagaInfo, actions []saga.ActionInfo) (json.RawMessage, error) {
	var err error
	d := documented{schemas: map[string]json.RawMessage{}}
	var inputs, outputs, signals, invoked []string
	for i := range sagas {
		info := &sagas[i]
		name := fmt.Sprintf("saga.%s.v%d.", info.Name, info.Version)
		inputs = append(inputs, d.add(name+"input", info.InputSchema))
		outputs = append(outputs, d.add(name+"output", info.OutputSchema))
		for signal, schema := range info.Signals {
			signals = append(signals, d.add(name+"signal."+notInNames.ReplaceAllString(signal, "_"), schema))
		}
	}
	for i := range actions {
		info := &actions[i]
		name := "action." + info.Name + "."
		invoked = append(invoked, d.add(name+"input", info.InputSchema))
		outputs = append(outputs, d.add(name+"output", info.OutputSchema))
	}
	for _, put := range []struct {
		refs []string
		path []string
		body bool
	}{
		{inputs, []string{"paths", "/sagas/{name}/runs", "post", "requestBody", "content", "application/json"}, true},
		{invoked, []string{"paths", "/actions/{name}/invoke", "post", "requestBody", "content", "application/json"}, true},
		{outputs, []string{"components", "schemas", "Result", "properties", "output"}, false},
		{signals, []string{"components", "schemas", "Signal", "properties", "payload"}, false},
	} {
		if len(put.refs) == 0 {
			continue
		}
		slices.Sort(put.refs)
		change := func(old json.RawMessage) (json.RawMessage, error) { return oneOf(old, put.refs) }
		if put.body {
			example := sampleOf(d.schemas[strings.TrimPrefix(put.refs[0], components)])
			change = func(old json.RawMessage) (json.RawMessage, error) { return asBody(old, put.refs, example) }
		}
		if doc, err = edit(doc, put.path, change); err != nil {
			return nil, err
		}
	}
	return edit(doc, []string{"components", "schemas"}, func(old json.RawMessage) (json.RawMessage, error) {
		var all map[string]json.RawMessage
		if err := json.Unmarshal(old, &all); err != nil {
			return nil, err
		}
		maps.Copy(all, d.schemas)
		return marshal(all)
	})
}

// documented collects the schemas of payloads.
type documented struct{ schemas map[string]json.RawMessage }

// components is the beginning of references to schemas.
const components = "#/components/schemas/"

// sampleOf makes an example of a payload.
func sampleOf(schema json.RawMessage) json.RawMessage {
	f, err := shape.Read(schema)
	if err != nil {
		return json.RawMessage(`null`)
	}
	return f.Sample()
}

// asBody changes a body's schema to one of the schemas that refs name, and adds the example.
func asBody(old json.RawMessage, refs []string, example json.RawMessage) (json.RawMessage, error) {
	body, err := edit(old, []string{"schema"}, func(old json.RawMessage) (json.RawMessage, error) { return oneOf(old, refs) })
	if err != nil {
		return nil, err
	}
	return edit(body, []string{"example"}, func(json.RawMessage) (json.RawMessage, error) { return example, nil })
}

// add adds a schema and returns the reference to it. It rewrites the references within the schema
// so that they start at the document's root.
func (d documented) add(name string, schema json.RawMessage) string {
	ref := components + name
	d.schemas[name] = bytes.ReplaceAll(schema, []byte(`"#/$defs/`), []byte(`"`+ref+`/$defs/`))
	return ref
}

// oneOf changes a schema to one of the schemas that refs name, and keeps its other members.
func oneOf(old json.RawMessage, refs []string) (json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(old, &members); err != nil {
		return nil, err
	}
	choices := make([]map[string]string, len(refs))
	for i, ref := range refs {
		choices[i] = map[string]string{"$ref": ref}
	}
	raw, err := marshal(choices)
	if err != nil {
		return nil, err
	}
	members["anyOf"] = raw
	return marshal(members)
}

// edit changes the value at a path of members in a JSON object. If there is no such path, it
// changes nothing.
func edit(doc json.RawMessage, path []string, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	if len(path) == 0 {
		return change(doc)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	inner, ok := members[path[0]]
	if !ok {
		return doc, nil
	}
	changed, err := edit(inner, path[1:], change)
	if err != nil {
		return nil, err
	}
	members[path[0]] = changed
	return marshal(members)
}

// marshal writes a value as JSON, without HTML escaping.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
