package outlook

import (
	"fmt"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/explain"
)

// Sentence says an end in one sentence, with the act before it.
func (a *Act) Sentence(e *End) string {
	text := a.Text
	if e.If != "" {
		text += ": " + e.If
	}
	return text + " → " + e.Text
}

// words says an act.
func (a *Act) words() string {
	what := "all stuck steps"
	if a.Step != "" {
		what = subject(a.Step, a.Direction)
	}
	switch a.Act {
	case ActWait:
		return "do nothing"
	case explain.ActSubstitute:
		if a.Step == "" {
			return "substitute the outputs of all stuck steps"
		}
		return "substitute the output of " + what
	case explain.ActRetry, explain.ActSkip:
		return string(a.Act) + " " + what
	}
	return string(a.Act) + " the run"
}

// subject names a step, or its undo.
func subject(step string, dir domain.Direction) string {
	if dir == domain.Undo {
		return "the undo of " + step
	}
	return step
}

// spell returns the answer with its text.
func (a Answer) spell() Answer {
	name := subject(a.Step, a.Direction)
	switch a.Gives {
	case Refused:
		a.Text = name + " is refused"
	case Fails:
		a.Text = name + " fails until its last attempt"
	case Doubt:
		a.Text = name + " leaves its effect in doubt"
	case Applied:
		a.Text = "the probe of " + a.Step + " finds its effect"
	case NotApplied:
		a.Text = "the probe of " + a.Step + " finds no effect"
	case Unknown:
		a.Text = "the probe of " + a.Step + " can't tell"
	case Arrives:
		a.Text = a.Name + " arrives"
	case Never:
		a.Text = a.Name + " never arrives"
	case Completes:
		a.Text = "the child run of " + a.Step + " completes"
	case Undone:
		a.Text = "the child run of " + a.Step + " fails and is undone"
		if a.Direction == domain.Undo {
			a.Text = "the child run of " + a.Step + " is undone"
		}
	case PastPivot:
		a.Text = "the child run of " + a.Step + " can't be undone"
	case Stays:
		a.Text = "the child run of " + a.Step + " does not end"
	case Takes:
		a.Text = a.Step + " takes the branch " + a.Name
		if a.Name == "" {
			a.Text = a.Step + " takes no branch"
		}
	case Items:
		a.Text = a.Step + " has items"
		if a.Name != "" {
			a.Text = a.Step + " has no items"
		}
	case CodeFails:
		a.Text = "the code of " + a.Step + " fails"
		if a.Step == "" {
			a.Text = "the code that makes the output fails"
		}
	case Planned:
		a.Text = a.Step + " plans no more steps"
	}
	return a
}

// ifWords says under which answers a course came to its end; nothing where none was needed.
func ifWords(c *course) string {
	if len(c.answers) == 0 {
		if c.moved {
			return "all goes well"
		}
		return ""
	}
	texts := make([]string, len(c.answers))
	for i := range c.answers {
		texts[i] = c.answers[i].Text
	}
	return few(texts, ", ")
}

// words says what a run comes to.
func (e *End) words() string {
	if len(e.Stuck) > 0 {
		at := make([]string, len(e.Stuck))
		for i, s := range e.Stuck {
			at[i] = subject(s.Step, s.Direction)
		}
		needs := " needs a person"
		if len(at) > 1 {
			needs = " need a person"
		}
		return "stuck: " + few(at, " and ") + needs + e.besides()
	}
	if !e.State.Ended() {
		return "stands still: waits for " + few(e.Waits, " and ") + e.left("")
	}
	text := string(e.State)
	if len(e.Without) > 0 {
		text += ", without " + few(e.Without, " and ")
	}
	none := ", nothing left"
	if e.State == domain.RunIsCompleted {
		none = ""
	}
	return text + e.left(none)
}

// besides says what else a stuck run waits for.
func (e *End) besides() string {
	if len(e.Waits) == 0 {
		return e.left("")
	}
	return "; it waits for " + few(e.Waits, " and ") + e.left("")
}

// left says which effects are left.
func (e *End) left(none string) string {
	switch len(e.Left) {
	case 0:
		return none
	case 1:
		return ", with the effect of " + e.Left[0] + " left"
	}
	return ", with the effects of " + few(e.Left, " and ") + " left"
}

// few joins words, the first ones where they are many; last stands between the last two.
func few(words []string, last string) string {
	const most = 4
	if len(words) > most+1 {
		return strings.Join(words[:most], ", ") + fmt.Sprintf(" and %d more", len(words)-most)
	}
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}
