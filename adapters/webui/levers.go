package webui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/form"
	"github.com/atonehq/atone/adapters/webui/internal/once"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// lever is something that a person can do to a run.
type lever struct {
	Act, Label string
	// Off says why it can't be done now; empty means that it can.
	Off string
	// Danger marks what can't be taken back.
	Danger bool
}

// levers describes the levers for their forms.
var levers = map[string]struct {
	title, button, about string
	danger, stuckOnly    bool
}{
	"cancel":     {"Cancel the run", "Cancel the run", "What was done is undone, in reverse order. The run ends cancelled.", true, false},
	"pause":      {"Pause the run", "Pause", "Nothing new is started. What is in flight runs to its end.", false, false},
	"resume":     {"Resume the run", "Resume", "The run goes on where it stands.", false, false},
	"retry":      {"Retry the step", "Retry", "The step gets a new set of attempts.", false, true},
	"skip":       {"Skip the step", "Skip", "The step counts as having no effect; one that is stuck in its undo counts as undone. Its effect, if there is any, stays.", true, true},
	"substitute": {"Substitute the step's output", "Substitute", "The step counts as done with the output that you give.", false, true},
	"abandon":    {"Abandon the run", "Abandon", "The run is closed as it stands. What it did stays done, and nobody undoes it.", true, false},
	"signal":     {"Send a signal", "Send", "The signal is delivered to the step that awaits it, or kept until one does.", false, false},
}

// runLevers are the acts on a run as a whole, in the order of their buttons.
var runLevers = []lever{{Act: "resume", Label: "Resume"}, {Act: "pause", Label: "Pause"}, {Act: "signal", Label: "Signal"},
	{Act: "cancel", Label: "Cancel run", Danger: true}, {Act: "abandon", Label: "Abandon", Danger: true}}

// leversOf lists what the person can do to the run as a whole.
func leversOf(why *explain.Reason, who Person) (out []lever) {
	if why.State.Ended() {
		return nil
	}
	why.Levers = explain.Permit(why.Levers, who.Operate, who.Signal)
	for _, l := range runLevers {
		if l.Act == "resume" && why.Paused == "" || l.Act == "pause" && why.Paused != "" {
			continue // the other one of the two is shown in its place
		}
		if told := why.Lever(explain.ActSignal); l.Act == "signal" && told != nil && len(told.Names)+len(told.Later) == 0 {
			continue // the run can take none
		}
		if told := why.Lever(explain.Act(l.Act)); told != nil && told.Off != "" {
			l.Off = strings.ToUpper(told.Off[:1]) + told.Off[1:] + "."
		}
		out = append(out, l)
	}
	return out
}

// reasons says why some levers can't be pulled, each reason once.
func reasons(levers []lever) []string {
	var out []string
	for _, l := range levers {
		if l.Off != "" && !slices.Contains(out, l.Off) {
			out = append(out, l.Off)
		}
	}
	return out
}

// leverPage is the form of a lever.
type leverPage struct {
	Run                  explain.Run
	Act                  string
	Title, Button, About string
	Danger               bool
	Step, Reason         string
	Output, Signal       string
	// Steps are the stuck ones to choose from.
	Steps   []wait
	Signals []string
	// Keep sends a signal that no step awaits.
	Keep bool
	Undo *explain.Preview
	// Payload asks for a signal's payload.
	Payload *form.Form
	Error   string
	// Off says why the person may not send the form.
	Off string
	// Seen is the run's revision when the form was drawn, Once the id of the form that was sent.
	Seen int64
	Once string
}

// leverForm shows the form of a lever.
func (h *handler) leverForm(w http.ResponseWriter, r *http.Request, who Person) error {
	t, d, err := h.readLever(r, who)
	if err != nil {
		return err
	}
	d.Step = r.URL.Query().Get("step")
	h.showLever(w, r, who, t, d, http.StatusOK)
	return nil
}

func (h *handler) readLever(r *http.Request, who Person) (*told, *leverPage, error) {
	id, err := h.runParam(r, who)
	if err != nil {
		return nil, nil, err
	}
	act, ok := levers[r.PathValue("act")]
	if !ok {
		return nil, nil, errNoPage
	}
	t, err := h.tell(r.Context(), who, id)
	if err != nil {
		return nil, nil, err
	}
	d := &leverPage{Run: t.look.Run, Act: r.PathValue("act"), Title: act.title, Button: act.button, About: act.about, Danger: act.danger, Seen: t.look.Run.Revision}
	if d.Act == "signal" && !who.Signal {
		d.Off = "Your token lacks the scopes start and operate: it may not signal."
	} else if d.Act != "signal" && !who.Operate {
		d.Off = noOperate
	}
	return t, d, nil
}

func (h *handler) showLever(w http.ResponseWriter, r *http.Request, who Person, t *told, d *leverPage, status int) {
	v := h.view(r, who, "runs", d.Title)
	v.Refresh = 0
	if levers[d.Act].stuckOnly {
		why := t.look.Why(r.Context(), v.Now)
		for _, w := range waitsOf(&why, v.Now) {
			if w.Incident != "" {
				d.Steps = append(d.Steps, w)
			}
		}
	}
	switch d.Act {
	case "cancel":
		p := t.undo(v.Now)
		d.Undo = &p
	case "signal":
		why := t.look.Why(r.Context(), v.Now)
		lever := why.Lever(explain.ActSignal)
		d.Signals = slices.Concat(lever.Names, lever.Later)
		if d.Signal == "" && len(d.Signals) > 0 {
			d.Signal = d.Signals[0]
		}
		if d.Payload == nil {
			d.Payload = h.signalForm(t, d.Signal)
		}
	}
	v.D = d
	h.templates.Render(w, r, status, "lever", v)
}

// lever pulls a lever. A reason is required of everything but a signal.
func (h *handler) lever(w http.ResponseWriter, r *http.Request, who Person) error {
	t, d, err := h.readLever(r, who)
	if err != nil {
		return err
	}
	d.Step, d.Reason, d.Output, d.Signal = r.PostFormValue("step"), strings.TrimSpace(r.PostFormValue("reason")), r.PostFormValue("output"), strings.TrimSpace(r.PostFormValue("signal"))
	d.Keep, d.Once = r.PostForm.Has("keep"), r.PostForm.Get(once.Field)
	var payload json.RawMessage
	fine := true
	if d.Act == "signal" {
		d.Payload = h.signalForm(t, d.Signal)
		payload, fine = d.Payload.Read(r.PostForm)
	}
	if d.Off != "" {
		d.Error = "Nothing was done. " + d.Off
		h.showLever(w, r, who, t, d, http.StatusForbidden)
		return nil
	}
	if d.Act == "signal" {
		if !fine {
			d.Error = "Nothing was sent: correct the marked fields."
			h.showLever(w, r, who, t, d, http.StatusUnprocessableEntity)
			return nil
		}
		d.Output = string(payload)
	}
	if once.Pulled(t.facts, r.PostForm.Get("seen"), who.Name, d.Act, d.Step, d.Reason) {
		show.GoTo(w, r, h.cfg.Base+"/runs/"+t.id.String(), once.Already)
		return nil
	}
	if err := h.pull(r, who, t.id, d); err != nil {
		status := statusOf(err)
		if status == http.StatusInternalServerError {
			return err
		}
		d.Error = err.Error()
		h.showLever(w, r, who, t, d, status)
		return nil
	}
	h.cfg.Logger.Info("lever pulled", "run", t.id, "act", d.Act, "step", d.Step, "actor", who.Name)
	if done[d.Act] == "" {
		h.follow(r, who, d)
	}
	show.GoTo(w, r, h.cfg.Base+"/runs/"+t.id.String(), done[d.Act])
	return nil
}

// done says what a lever did. What comes of the others is followed, see [handler.follow].
var done = map[string]string{"pause": "Paused.", "abandon": "Abandoned.", "signal": "Signal sent."}

func (h *handler) pull(r *http.Request, who Person, id domain.RunID, d *leverPage) error {
	if d.Reason == "" && d.Act != "signal" {
		return fmt.Errorf("%w: say why, for the audit", errBadForm)
	}
	ctx := saga.WithActor(r.Context(), who.Name)
	c := h.cfg.Coordinator
	switch d.Act {
	case "cancel":
		return c.Cancel(ctx, id, d.Reason)
	case "pause":
		return c.Pause(ctx, id, d.Reason)
	case "resume":
		return c.Resume(ctx, id, d.Reason)
	case "retry":
		return c.Retry(ctx, id, d.Step, d.Reason)
	case "skip":
		return c.Skip(ctx, id, d.Step, d.Reason)
	case "substitute":
		return c.Substitute(ctx, id, d.Step, json.RawMessage(d.Output), d.Reason)
	case "abandon":
		return c.Abandon(ctx, id, d.Reason)
	case "signal":
		payload := strings.TrimSpace(d.Output)
		if payload == "" {
			payload = "null"
		}
		opts := []saga.SignalOption{saga.SignalID(d.Once)}
		if d.Keep {
			opts = append(opts, saga.Keep())
		}
		return c.Signal(ctx, id, d.Signal, json.RawMessage(payload), opts...)
	}
	return errNoPage
}
