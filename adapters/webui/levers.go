package webui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/machine"
)

// lever is something that a person can do to a run.
type lever struct {
	Act, Label string
	// Off says why it can't be done now; empty means that it can.
	Off string
	// Danger marks what can't be taken back.
	Danger bool
}

// acts describes the levers for their forms.
var acts = map[string]struct {
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
	"signal":     {"Send a signal", "Send", "The signal is delivered to the step that awaits it, or kept for one that will.", false, false},
}

// leversOf lists what the person can do to the run as a whole.
func leversOf(t *told, who Person) []lever {
	if t.look.View.State.Ended() {
		return nil
	}
	s := t.state
	denied := ""
	if !who.Operate {
		denied = "Your token lacks the scope operate."
	}
	cancel := denied
	switch {
	case cancel != "":
	case s.PastPivot:
		cancel = "It can't be cancelled: it has passed its pivot and only goes forward."
	case s.Turning:
		cancel = "It can't be cancelled: it has turned back already."
	case s.Cancel != nil:
		cancel = "A cancel is already waiting for what is in flight."
	}
	out := []lever{}
	signal := ""
	if !who.Signal {
		signal = "Your token lacks the scopes start and operate: it may not signal."
	}
	if s.Paused {
		out = append(out, lever{Act: "resume", Label: "Resume", Off: denied})
	} else {
		out = append(out, lever{Act: "pause", Label: "Pause", Off: denied})
	}
	return append(out, lever{Act: "signal", Label: "Signal", Off: signal}, lever{Act: "cancel", Label: "Cancel run", Off: cancel, Danger: true},
		lever{Act: "abandon", Label: "Abandon", Off: denied, Danger: true})
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
	Run                  saga.RunView
	Act                  string
	Title, Button, About string
	Danger               bool
	Step, Reason         string
	Output, Signal       string
	// Steps are the stuck ones to choose from.
	Steps   []machine.Wait
	Signals []string
	Undo    *machine.Preview
	Error   string
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
	id, err := runParam(r)
	if err != nil {
		return nil, nil, err
	}
	act, ok := acts[r.PathValue("act")]
	if !ok {
		return nil, nil, errNoPage
	}
	t, err := h.tell(r.Context(), who, id)
	if err != nil {
		return nil, nil, err
	}
	return t, &leverPage{Run: t.look.View, Act: r.PathValue("act"), Title: act.title, Button: act.button, About: act.about, Danger: act.danger}, nil
}

func (h *handler) showLever(w http.ResponseWriter, r *http.Request, who Person, t *told, d *leverPage, status int) {
	v := h.view(r, who, "runs", d.Title)
	v.Refresh = 0
	if acts[d.Act].stuckOnly {
		for _, wait := range t.look.Why(v.Now, nil).Waits {
			if wait.Incident != "" {
				d.Steps = append(d.Steps, wait)
			}
		}
	}
	switch d.Act {
	case "cancel":
		p := t.undo(v.Now)
		d.Undo = &p
	case "signal":
		t.state.Steps(func(st *machine.Step) {
			if st.Phase == machine.Waiting && st.Signal != "" && !slices.Contains(d.Signals, st.Signal) {
				d.Signals = append(d.Signals, st.Signal)
			}
		})
		if d.Signal == "" && len(d.Signals) > 0 {
			d.Signal = d.Signals[0]
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
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	d.Step, d.Reason, d.Output, d.Signal = r.PostFormValue("step"), strings.TrimSpace(r.PostFormValue("reason")), r.PostFormValue("output"), strings.TrimSpace(r.PostFormValue("signal"))
	if d.Act == "signal" && !who.Signal || d.Act != "signal" && !who.Operate {
		return errDenied
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
	show.GoTo(w, r, h.cfg.Base+"/runs/"+t.id.String(), done[d.Act])
	return nil
}

// done says what a lever did.
var done = map[string]string{"cancel": "Cancelled: what was done is being undone.", "pause": "Paused.", "resume": "Resumed.", "retry": "Retried: the step has new attempts.",
	"skip": "Skipped.", "substitute": "Output substituted.", "abandon": "Abandoned.", "signal": "Signal sent."}

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
		return c.Signal(ctx, id, d.Signal, json.RawMessage(payload))
	}
	return errNoPage
}
