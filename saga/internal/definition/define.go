package definition

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga/internal/payload"
)

// Types are the types of a saga's input and output.
type Types struct {
	In, Out reflect.Type
	// Input and Output describe what a run is given and what it gives; of a saga that is data, In
	// and Out do not say that.
	Input, Output Payload
	// NoOutput means that the saga returns nothing.
	NoOutput bool
}

// Define builds a saga: build is called once, now, with the flow to add steps to and the saga's
// input, and returns the source of its output; set sets the saga's options afterwards. It returns
// nil and every error of the definition, each a [*domain.DefinitionError], where it is wrong.
func Define(name string, version int, types Types, build func(*Flow, *Source) *Source, set func(*Builder)) (*Definition, error) {
	b := newBuilder(name, version)
	b.uses("input", types.In)
	b.uses("output", types.Out)
	in := &Source{block: b.root, index: -1, kind: fromInput, name: "input"}
	var out *Source
	if build == nil {
		b.fail("", "it has no build function")
	} else {
		b.call(b.root, "", func() { out = build(&Flow{b, b.root}, in) })
	}
	b.result(b.root, out, types.NoOutput)
	set(b)
	b.finish()
	if err := domain.JoinOnce(b.errs...); err != nil {
		return nil, err
	}
	_, always := payload.ReadsBack(types.In)
	return &Definition{
		ReadsBack: always,
		Plan:      b.plan,
		Written:   b.plan,
		Policies:  policiesOf(b.plan),
		Code:      b.code,
		Actions:   b.actions,
		Children:  b.children,
		Signals:   b.signals,
		Input:     types.Input,
		Output:    types.Output,
		About:     b.about,
		Plans:     b.plans,
		NoReturn:  b.noReturn,
		Untried:   b.untried,
	}, nil
}

// finish runs all checks and indexes the plan.
func (b *Builder) finish() {
	if b.root.count == 0 && len(b.errs) == 0 {
		b.fail("", "it has no steps")
	}
	b.checkTexts()
	b.tryAll(trialLimit)
	b.checkOrder()
	b.plan.Secret = payload.Union(b.plan.Secret, b.tags.secret)
	b.plan.Searchable = payload.Union(b.plan.Searchable, b.tags.search)
	b.hide()
	for _, name := range b.plan.Secret {
		if slices.Contains(b.plan.Searchable, name) {
			b.fail("", "field %q is both secret and searchable: a search would reveal it", name)
		}
	}
	b.done = true
	if err := b.plan.Index(); err != nil {
		b.fail("", "%v", err)
	}
}

// checkTexts refuses texts that change when the plan is written and read: the plan's hash, by
// which a run finds it, would change too.
func (b *Builder) checkTexts() {
	if err := accept.Text("the description", b.plan.Description); err != nil {
		b.fail("", "%v", err)
	}
	for _, name := range append(slices.Clone(b.plan.Secret), b.plan.Searchable...) {
		if err := accept.Name("a field's name", name, accept.MaxName); err != nil {
			b.fail("", "%v", err)
		}
	}
	b.plan.Root.Walk(func(n *domain.Node) {
		path := ""
		if st := b.steps[n]; st != nil {
			path = st.key
		}
		for _, text := range append([]string{n.Accepted}, n.Cases...) {
			if err := accept.Text("a text of the step", text); err != nil {
				b.fail(path, "%v", err)
			}
		}
	})
}

// SetDeadline bounds every run of the saga.
func (b *Builder) SetDeadline(d time.Duration) {
	b.plan.Deadline = domain.Duration(d)
	if d <= 0 {
		b.fail("", "Deadline is %v: it must be positive", d)
	}
}

// SetSlow sets the age at which an unfinished run is reported as slow.
func (b *Builder) SetSlow(d time.Duration) {
	b.plan.Slow = domain.Duration(d)
	if d <= 0 {
		b.fail("", "Slow is %v: it must be positive", d)
	}
}

// SetDescription says in the plan what the saga is for.
func (b *Builder) SetDescription(s string) { b.plan.Description = s }

// SetLanguage says in which level of the language the saga is written, and what it computes besides
// its steps.
func (b *Builder) SetLanguage(level string, code json.RawMessage) {
	b.plan.Language, b.plan.Code = level, code
}

// SetAbout sets what is computed of a run's input when it starts.
func (b *Builder) SetAbout(about func(input json.RawMessage) (About, error)) { b.about = about }

// SetOnFailure names the saga's failure handler.
func (b *Builder) SetOnFailure(a ActionUse) {
	spec, bad := b.specOf(a)
	b.plan.OnFailure = spec
	b.failAll("", bad)
}

// AddSearchable names members of payloads that are searched.
func (b *Builder) AddSearchable(fields ...string) {
	b.plan.Searchable = append(b.plan.Searchable, fields...)
}

// AddSecret names members of payloads that are secret.
func (b *Builder) AddSecret(fields ...string) {
	b.plan.Secret = append(b.plan.Secret, fields...)
	b.tags.named = append(b.tags.named, fields...)
}
