package acts

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/cause"
)

// Told is an act as it is told at one moment.
type Told struct {
	ID string
	// Say is what happened, in a sentence.
	Say    string
	Reason string
	At     time.Time
	// Live means that there is more to come.
	Live bool
	// Bad means that something was refused, or is stuck again.
	Bad bool
	// Runs are the runs that it was done to, Refused the others, each with why.
	Runs, Refused []Run
	// Problem says why the act ended early.
	Problem string
}

// Run is a run of an act.
type Run struct {
	domain.BulkResult
	// GoesOn means that it has neither ended nor is stuck, Unknown that it can't be told.
	GoesOn, Unknown bool
	// Why says why it is stuck again, or refused, or can't be followed.
	Why string
}

// maxWhy bounds the text of each refusal and cause, in characters, so that a form's text does not
// come back once for every run.
const maxWhy = 300

// Of lists the acts that the person has not dismissed, the newest first.
func (b *Book) Of(person string) []Told {
	b.mu.Lock()
	list := slices.Clone(b.kept[person])
	b.mu.Unlock()
	var out []Told
	for _, a := range list {
		out = append(out, a.told())
	}
	return out
}

// Told tells of one act of the person.
func (b *Book) Told(person, id string) (Told, bool) {
	a := b.find(person, id)
	if a == nil {
		return Told{}, false
	}
	return a.told(), true
}

// past is the act as done.
var past = map[domain.BulkAct]string{domain.BulkCancel: "cancelled", domain.BulkPause: "paused", domain.BulkResume: "resumed", domain.BulkRetry: "retried",
	domain.BulkSkip: "skipped", domain.BulkSubstitute: "substituted", domain.BulkAbandon: "abandoned"}

func (a *Act) told() Told {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := Told{ID: a.id, Reason: a.reason, At: a.begun, Live: !a.ended}
	counts := make(map[standing]int)
	var causes cause.Tally
	for i := range a.rows {
		r := &a.rows[i]
		counts[r.standing]++
		out := Run{BulkResult: r.BulkResult, GoesOn: r.standing == goesOn, Unknown: r.standing == unknown, Why: format.Clip(cmp.Or(r.cause, r.Error), maxWhy)}
		switch r.standing {
		case refused:
			t.Refused = append(t.Refused, out)
			continue
		case stuck:
			causes.Add(r.cause)
		case goesOn:
			t.Live = t.Live || a.ctx.Err() == nil
		}
		t.Runs = append(t.Runs, out)
	}
	t.Bad = counts[refused]+counts[stuck]+counts[unknown] > 0 || a.err != nil
	if a.err != nil {
		t.Problem = a.err.Error()
	}
	t.Say = a.sentence(counts, &causes)
	return t
}

// sentence says what happened, such as "8 retried: 3 done, 5 stuck again: card_gone".
func (a *Act) sentence(counts map[standing]int, causes *cause.Tally) string {
	acted := len(a.rows) - counts[refused]
	text := format.Number(int64(acted)) + " " + past[a.what]
	if !a.ended {
		text += " of " + format.Number(int64(a.chosen))
	}
	var parts []string
	part := func(n int, what string) {
		if n > 0 {
			parts = append(parts, format.Number(int64(n))+" "+what)
		}
	}
	if a.what != domain.BulkPause && a.what != domain.BulkAbandon {
		part(counts[done], "done")
	}
	part(counts[goesOn], "going on")
	isStuck := "stuck"
	if a.what.StuckOnly() {
		isStuck = "stuck again"
	}
	if why := causes.String(); why != "" {
		isStuck += ": " + format.Clip(why, maxWhy)
	}
	part(counts[stuck], isStuck)
	part(counts[unknown], "could not be followed")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	if counts[refused] > 0 {
		text += fmt.Sprintf("; %s refused", format.Number(int64(counts[refused])))
	}
	if a.stopped {
		text += fmt.Sprintf("; stopped after so many failures, %s left alone", format.Number(int64(max(0, a.chosen-len(a.rows)))))
	}
	return text
}
