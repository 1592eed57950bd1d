package data_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/atonehq/atone/saga/data"
)

// head begins the files of tests.
const head = `saga: s
version: 1
input: {type: object, required: [id, n, x, open], properties: {id: {type: string}, n: {type: integer}, x: {type: number}, maybe: {type: string}, list: {type: array, items: {type: object, required: [a], properties: {a: {type: integer}}}}, open: {}, card: {type: string, x-secret: true}}}
steps:
`

func problems(t *testing.T, files ...data.File) string {
	t.Helper()
	_, err := data.Parse(data.Uses{Actions: new(town).actions()}, files...)
	if err == nil {
		return ""
	}
	var bad *data.ProblemsError
	require.ErrorAs(t, err, &bad)
	return strings.Join(bad.Problems, "\n")
}

// TestProblemsAreToldAllAtOnceWithTheirPlaces: this is how a compiler tells them.
func TestProblemsAreToldAllAtOnceWithTheirPlaces(t *testing.T) {
	t.Parallel()
	text := strings.Replace(example(t, "signup.yaml"), "email: ${ steps.create_user.email }", "email: ${ steps.create_user.mial }", 1)
	text = strings.Replace(text, "name: ${ input.name.trim() }", "nmae: ${ input.name.trim() }", 1) //nolint:misspell // the typing mistake is what is tested
	text = strings.Replace(text, "action: send-welcome-email", "action: send-welcom-email", 1)
	const typo = "nmae" //nolint:misspell // the typing mistake is what is tested
	require.Equal(t, strings.TrimSpace(`
signup.yaml:21:7: step create-user: input.`+typo+`: no such field "`+typo+`" in input of create-user; did you mean "name"?
signup.yaml:21:7: step create-user: input: it lacks name (input of create-user)
signup.yaml:24:17: step send-welcom-email: no action is called "send-welcom-email"; did you mean "send-welcome-email"?
signup.yaml:30:38: step update-crm: input.email: no such field "mial" in output of create-user; did you mean "email"?
signup.yaml:36:20: return.welcome: no step "send_welcome_email" can be read here: it comes later, or stands in a branch or a list that this is not in; did you mean "send_welcom_email"?`),
		problems(t, data.File{Name: "signup.yaml", Text: []byte(text)}))
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("examples", name))
	require.NoError(t, err)
	return string(text)
}

func TestWhatIsWrongIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"- action: charge-card\n  input: {card: a, amount: \"${ input.n }\"}":                       "",
		"- compute: ${ input.maybe }\n  name: c":                                                    `"maybe" may be absent in input: ask has(input.maybe) first`,
		"- compute: \"${ has(input.maybe) ? input.maybe : '' }\"\n  name: c":                        "",
		"- compute: ${ has(input.maybe) && input.maybe == 'x' }\n  name: c":                         "",
		"- compute: ${ !has(input.maybe) || input.maybe == 'x' }\n  name: c":                        "",
		"- compute: ${ has(input.maybe) || input.maybe == 'x' }\n  name: c":                         "may be absent",
		"- compute: ${ input.?maybe.orValue('x') }\n  name: c":                                      "",
		"- action: create-user\n  input: {name: \"${ input.?maybe }\", email: e}":                   "it may be absent: give another value with orValue(…)",
		"- action: send-parcel\n  input: {order: o, reservations: [], note: \"${ input.?maybe }\"}": "",
		"- action: reserve-stock\n  input: {sku: a, quantity: \"${ input.x }\"}":                    "it is a number, not an integer",
		"- action: reserve-stock\n  input: {sku: a, quantity: 1.5}":                                 "it is a number, not an integer",
		"- action: reserve-stock\n  input: {sku: a, quantity: \"1\"}":                               "it is a text, not an integer",
		"- action: reserve-stock\n  input: {sku: a}":                                                "it lacks quantity",
		"- action: reserve-stock": "it lacks quantity, sku",
		"- action: reserve-stock\n  input: {sku: a, quantity: \"${ input.open }\"}":  "",
		"- action: reserve-stock\n  input: ${ input }":                               `no such field`,
		"- action: reserve-stock\n  inputs: {}\n  input: {sku: a, quantity: 1}":      `4:`,
		"- compute: ${ input.n + 1.5 }\n  name: c":                                   "found no matching overload for + applied to '(int, double)'",
		"- compute: ${ input.n + }\n  name: c":                                       "Syntax error",
		"- compute: ${ inptu.n }\n  name: c":                                         `there is no "inptu" here; did you mean "input"?`,
		"- compute: ${ steps }\n  name: c":                                           "steps is no value",
		"- compute: ${ steps.later.a }\n  name: c\n- compute: {a: 1}\n  name: later": `no step "later" can be read here`,
		"- compute: ${ input.n\n  name: c":                                           "${ without its }",
		"- compute: $${ input.n\n  name: c":                                          "",
		"- compute: it is ${ [input.n] }\n  name: c":                                 "a list can't stand within a text",
		"- compute: ${ duration('5m') }\n  name: c":                                  "JSON can't hold",
		"- compute: ${ event.id }\n  name: c":                                        `there is no "event" here`,
		"- compute: 1\n  name: a-b\n- compute: 2\n  name: a.b":                       "steps.a_b is another step already",
		"- compute: 1": "compute needs a name",
		"- if: ${ input.n }\n  then: [{compute: 1, name: c}]":                                             "it is an integer, not true or false",
		"- if: true\n  then: [{compute: 1, name: c}]\n- compute: ${ steps.c }\n  name: d":                 `no step "c" can be read here`,
		"- each: ${ input.n }\n  steps: [{compute: 1, name: c}]":                                          "it is an integer, not a list",
		"- each: ${ input.?list.orValue([]) }\n  name: e\n  steps: [{compute: \"${ item.b }\", name: c}]": `no such field "b" in item`,
		"- parallel: [[{compute: 1, name: c}], [{compute: \"${ steps.c }\", name: d}]]":                   `no step "c" can be read here`,
		"- parallel: [[{compute: 1, name: c}], [{compute: 2, name: c}]]":                                  "steps.c is another step already",
		"- sleep: soon":                                    "sleep must be a duration",
		"- sleep: ${ duration('5m') }":                     "",
		"- await: a\n  within: 0s":                         "within must be a duration above 0",
		"- await: {event: paid}":                           "an event needs a correlation",
		"- await: {event: run.started.v1, correlation: a}": "which no app can emit",
		"- child: other":                                   `no saga is called "other"`,
		"- child: s":                                       "a saga can't be its own child",
		"- pivot: true\n- action: charge-card\n  input: {card: a, amount: 1}\n  onFail: backward":      "2:",
		"- reject: no\n- compute: 1\n  name: c":                                                        "unreachable: it comes after Reject",
		"- action: charge-card\n  input: {card: a, amount: 1}\n  retry: {attempts: 3}":                 `"attempts" is not known here`,
		"- action: charge-card\n  input: {card: a, amount: 1}\n  timeout: 5":                           "timeout must be a duration above 0",
		"- action: charge-card\n  child: x":                                                            "either action or child, not both",
		"- actoin: charge-card":                                                                        "a step needs one of action, child",
		"- compute: ${ input.id.matches('(a{1000}){1000}') }\n  name: c":                               "4:",
		"- compute: ${ " + strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100) + " }\n  name: c": "4:",
		"- compute: ${ '" + strings.Repeat("x", 9_000) + "' }\n  name: c":                              "expression code point size exceeds limit",
		"[]": "steps must be a list of steps",
	} {
		says = strings.Replace(strings.Replace(says, "4:", "a.yaml:", 1), "2:", "a.yaml:", 1)
		indented := "  " + strings.ReplaceAll(text, "\n", "\n  ")
		told := problems(t, data.File{Name: "a.yaml", Text: []byte(head + indented + "\n")})
		if says == "" {
			assert.Empty(t, told, text)
		} else {
			assert.Contains(t, told, says, text)
		}
	}
}

func TestHeadsThatAreWrongAreRefused(t *testing.T) {
	t.Parallel()
	steps := "steps: [{compute: 1, name: c}]\n"
	for text, says := range map[string]string{
		steps:                               "saga is missing",
		"saga: s\nversion: 0\n" + steps:     "version must be an integer of 1 or more",
		"saga: 's s'\nversion: 1\n" + steps: "bad saga name",
		"saga: s\nversion: 1\n":             "steps are missing",
		"saga: s\nversion: 1\nlanguage: atone/2\n" + steps: `"atone/2" is not known to this program, which reads atone/1`,
		"saga: s\nversion: 1\nstpes: []\n" + steps:         `"stpes" is not known here; did you mean "steps"?`,
		"- 1": "a saga is a map",
		"saga: s\nversion: 1\ninput: {$ref: '#/$defs/a', $defs: {a: {properties: {b: {$ref: '#/$defs/a'}}}}}\n" + steps: "comes back to itself",
		"saga: s\nversion: 1\ninput: {$ref: 'https://example.org/a.json'}\n" + steps:                                    "refers to nothing in the schema's own $defs",
		"saga: s\nversion: 1\ninput: {$ref: '#'}\n" + steps:                                                             "refers to nothing in the schema's own $defs",
		"saga: s\nversion: 1\ninput: {type: strin}\n" + steps:                                                           "is no JSON Schema",
		"saga: s\nversion: 1\ntriggers: {event: a}\n" + steps:                                                           "triggers must be a list",
		"saga: s\nversion: 1\ntriggers: [{evnet: a}]\n" + steps:                                                         `"evnet" is not known here; did you mean "event"?`,
		"saga: s\nversion: 1\ntriggers: [{event: run.started.v1}]\n" + steps:                                            "reserved for atone's own events",
		"saga: s\nversion: 1\ntriggers: [{event: a, when: '${ input.a }'}]\n" + steps:                                   "input",
		"saga: s\nversion: 1\ntriggers: [{event: a, key: '${ event.correlation }'}]\n" + steps:                          "may be absent",
		"saga: s\nversion: 1\nkey: ${ steps.c }\n" + steps:                                                              `no step "c"`,
	} {
		require.Contains(t, problems(t, data.File{Name: "a.yaml", Text: []byte(text)}), says, text)
	}
}

func TestFilesStartTheSagasOfOtherFiles(t *testing.T) {
	t.Parallel()
	parent := data.File{Name: "parent.yaml", Text: []byte("saga: parent\nversion: 1\nsteps: [{child: kid, input: {n: 1}}]\nreturn: ${ steps.kid.twice }\n")}
	kid := data.File{Name: "kid.json", Text: []byte(`{"saga": "kid", "version": 2, "input": {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}},
"steps": [{"compute": "${ input.n * 2 }", "name": "two"}], "return": {"twice": "${ steps.two }"}}`)}
	set, err := data.Parse(data.Uses{}, parent, kid)
	require.NoError(t, err)
	w := &town{}
	c := running(t, w, memlogOf(), set.Sagas...)
	run, err := startRaw(t, c, set.Sagas[0], `{}`)
	require.NoError(t, err)
	out, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2", string(out))

	require.Equal(t, "kid.json:1:1: saga kid v2 stands in kid.json already", problems(t, kid, kid))
	kid.Text = []byte(`{"saga": "kid", "version": 2, "steps": [{"child": "parent"}]}`)
	require.Equal(t, "kid.json:1:1: saga kid starts parent, which starts it again: a saga can't be its own child, at any depth", problems(t, parent, kid))
}

// TestTheLanguageHasASchema: what the compiler takes fits it, and what does not fit it the compiler
// refuses.
func TestTheLanguageHasASchema(t *testing.T) {
	t.Parallel()
	valid := validator(t, "saga.schema.json")
	examples, err := filepath.Glob("examples/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(examples), 2)
	for _, name := range examples {
		require.NoError(t, valid(example(t, filepath.Base(name))), name)
	}
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(bad), 6)
	for _, name := range bad {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		var unfit *jsonschema.ValidationError
		require.ErrorAs(t, valid(string(text)), &unfit, name)
		require.NotEmpty(t, problems(t, data.File{Name: name, Text: text}), name)
	}
}

// validator returns the check of files against one of the language's schemas.
func validator(t *testing.T, name string) func(text string) error {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource(name, doc))
	schema, err := c.Compile(name)
	require.NoError(t, err)
	return func(text string) error {
		var v any
		require.NoError(t, yaml.Unmarshal([]byte(text), &v))
		raw, err := json.Marshal(named(v))
		require.NoError(t, err)
		v, err = jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		require.NoError(t, err)
		return schema.Validate(v)
	}
}

// named turns the names of maps into texts, as JSON and editors have them.
func named(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = named(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = named(v[name])
		}
	case map[any]any:
		m := map[string]any{}
		for name := range v {
			m[fmt.Sprint(name)] = named(v[name])
		}
		return m
	}
	return v
}
