package explore

import (
	"fmt"
	"strings"
	"time"

	"github.com/atonehq/atone/cmd/internal/console"
	"github.com/atonehq/atone/domain/visible"
	"github.com/atonehq/atone/saga/explore"
)

// Found is what the search of one offer found.
type Found struct {
	*offer
	Result *explore.Result
}

// err says how the exploration ended.
func (f *Found) err() error {
	r := f.Result
	switch {
	case r.Breaks():
		return fmt.Errorf("%s is %w: %s", f.offer, ErrBroken, r.Broken.Invariant)
	case len(r.Unreached) > 0:
		return fmt.Errorf("%s: %w: the schedule never came to %q", f.offer, ErrCut, r.Unreached)
	case len(r.Misfits) > 0:
		return fmt.Errorf("%s: %w: %s", f.offer, ErrCut, strings.Join(r.Misfits, "; "))
	case !r.Replayed && !r.Complete():
		return fmt.Errorf("%s: %w", f.offer, ErrCut)
	}
	return nil
}

// report is a result as JSON.
type report struct {
	Saga    string `json:"saga"`
	Version int    `json:"version"`
	// Plan is the hash of the plan.
	Plan string `json:"plan"`
	// Schedules counts the schedules that were played, by how many things go wrong in them.
	Schedules []int `json:"schedules"`
	// Of is how many there are in which one thing goes wrong, and in which two do.
	Of     []int `json:"of"`
	Points int   `json:"points"`
	// States counts the states that were visited, Merged the schedules that came to one that
	// another was in before.
	States int `json:"states,omitempty"`
	Merged int `json:"merged,omitempty"`
	// LeftOut lists the answers that the program says the world never gives.
	LeftOut  []string `json:"left_out,omitempty"`
	Complete bool     `json:"complete"`
	// Replayed means that one schedule was played.
	Replayed bool     `json:"replayed,omitempty"`
	Broken   *broken  `json:"broken,omitempty"`
	Waiting  []string `json:"waiting,omitempty"`
	// Never lists what no run came to, and the checks that were never made, each with the reason.
	Never   []string `json:"never,omitempty"`
	Answers []line   `json:"answers"`
	Took    string   `json:"took"`
}

type broken struct {
	// Invariant is empty where a schedule was replayed and nothing is broken.
	Invariant string `json:"invariant,omitempty"`
	Text      string `json:"text,omitempty"`
	// Schedule is "none" where nothing goes wrong.
	Schedule string `json:"schedule"`
	Story    string `json:"story"`
	// Others counts the further schedules that break something.
	Others int `json:"others,omitempty"`
}

type line struct {
	At      string           `json:"at"`
	Held    []explore.Answer `json:"held,omitempty"`
	Broken  []explore.Answer `json:"broken,omitempty"`
	Untried []explore.Answer `json:"untried,omitempty"`
	// Why has the reason for each of Untried.
	Why []string `json:"why,omitempty"`
	// Unjudged were given, and nothing tells whether the saga held: the world has no Fingerprint.
	Unjudged []explore.Answer `json:"unjudged,omitempty"`
}

func (f *Found) report() report {
	r := f.Result
	out := report{Saga: f.plan.Saga, Version: f.plan.Version, Plan: f.plan.Hash(), Schedules: r.Schedules, Of: r.Of, Points: r.Points, States: r.States, Merged: r.Merged, LeftOut: r.LeftOut,
		Complete: r.Broken == nil && r.Complete(), Replayed: r.Replayed, Waiting: r.Waiting, Never: r.Never, Took: took(r.Took).String()}
	if b := r.Broken; b != nil {
		out.Broken = &broken{b.Invariant, b.Text, b.Schedule, b.Story, r.Others}
	}
	for _, l := range r.Answers {
		out.Answers = append(out.Answers, line(l))
	}
	return out
}

// print prints what was found.
func (c *command) print(found []Found) error {
	if c.env.JSON() {
		list := []report{}
		for i := range found {
			list = append(list, found[i].report())
		}
		return c.env.PrintJSON(list)
	}
	for i := range found {
		if _, err := fmt.Fprintln(c.env.Out, c.text(&found[i])); err != nil {
			return err
		}
	}
	return nil
}

// text tells a result as a test does.
func (c *command) text(f *Found) string {
	r, p := f.Result, c.env.Colours()
	var text, mark string
	switch b := r.Broken; {
	case r.Replayed:
		text = fmt.Sprintf("%s\n%s", b.Schedule, b.Story)
		if r.Breaks() {
			mark = p.Bad("✗ ")
			text += fmt.Sprintf("broken: %s: %s", b.Invariant, b.Text)
		}
	case b != nil:
		text, mark = r.Failure(), p.Bad("✗ ")
		text += "play it again: " + c.env.Program.Name + " " + console.Words("explore", f.plan.Saga, "--replay", b.Schedule)
	default:
		text = r.Summary()
		if mark = p.Good("✓ "); !r.Complete() {
			mark = ""
		}
	}
	return mark + plainLines(f.String()+": "+strings.TrimRight(text, "\n"))
}

// plainLines writes out what readers would not see, and keeps the lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = visible.Line(line)
	}
	return strings.Join(lines, "\n")
}

// took is how long a search took, as it is printed.
func took(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
