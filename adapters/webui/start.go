package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/atonehq/atone/adapters/webui/internal/empty"
	"github.com/atonehq/atone/adapters/webui/internal/form"
	"github.com/atonehq/atone/adapters/webui/internal/once"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explain"
)

// startPage is the form that starts a run of a saga, or of a single action.
type startPage struct {
	// Path is where the form is posted to. Kind is saga or action.
	Path, Kind, Name   string
	Version            int
	About              string
	Form               *form.Form
	Key, Labels, Once  string
	Error, LabelsError string
	// Off says why the person may not start the saga or action; empty means that they may.
	Off string
}

// choicePage lists what a person can start.
type choicePage struct {
	Sagas   []saga.SagaInfo
	Actions []saga.ActionInfo
	// Empty stands there where nothing can be started.
	Empty *empty.Page
}

// startChoice lists what can be started.
func (h *handler) startChoice(w http.ResponseWriter, r *http.Request, who Person) error {
	d := &choicePage{}
	for _, s := range h.cfg.Coordinator.Sagas() {
		if s.Latest && who.sees(s.Name) {
			d.Sagas = append(d.Sagas, s)
		}
	}
	for _, a := range h.cfg.Coordinator.Actions() {
		if who.sees(a.Name) {
			d.Actions = append(d.Actions, a)
		}
	}
	if len(d.Sagas)+len(d.Actions) == 0 {
		d.Empty = h.program(r, who).Definitions("See the runs", "/runs")
	}
	v := h.view(r, who, "runs", "Start a run")
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, http.StatusOK, "choice", v)
	return nil
}

// readStart finds the saga or action of the form. If the person may not see it, it is not found.
func (h *handler) readStart(r *http.Request, who Person) (*startPage, error) {
	d := &startPage{Off: "Your token lacks the scope start."}
	if who.Start {
		d.Off = ""
	}
	var schema json.RawMessage
	if name := r.PathValue("action"); name != "" {
		for _, a := range h.cfg.Coordinator.Actions() {
			if a.Name == name && who.sees(name) {
				d.Kind, d.Name, d.About, schema = "action", name, a.Description, a.InputSchema
				d.Path = h.cfg.Base + "/actions/" + name + "/start"
			}
		}
	}
	version, _ := strconv.Atoi(r.FormValue("version")) // 0, the latest, for anything else
	for _, s := range h.cfg.Coordinator.Sagas() {
		if s.Name == r.PathValue("saga") && who.sees(s.Name) && (s.Version == version || version == 0 && s.Latest) {
			d.Kind, d.Name, d.Version, d.About, schema = "saga", s.Name, s.Version, s.Description, s.InputSchema
			d.Path = h.cfg.Base + "/sagas/" + s.Name + "/start?version=" + strconv.Itoa(s.Version)
		}
	}
	if d.Kind == "" {
		return nil, errNoPage
	}
	d.Form = form.Of(fieldsOf(schema))
	return d, nil
}

// startForm shows the form.
func (h *handler) startForm(w http.ResponseWriter, r *http.Request, who Person) error {
	d, err := h.readStart(r, who)
	if err != nil {
		return err
	}
	h.showStart(w, r, who, d, http.StatusOK)
	return nil
}

func (h *handler) showStart(w http.ResponseWriter, r *http.Request, who Person, d *startPage, status int) {
	v := h.view(r, who, "runs", "Start "+d.Name)
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, status, "start", v)
}

// start starts a run and goes to its page. It shows a wrong input at its field, and a refusal of
// the server above the form. It keeps everything that was typed.
func (h *handler) start(w http.ResponseWriter, r *http.Request, who Person) error {
	d, err := h.readStart(r, who)
	if err != nil {
		return err
	}
	d.Key, d.Labels, d.Once = r.PostForm.Get("key"), r.PostForm.Get("labels"), r.PostForm.Get(once.Field)
	labels := map[string]string{}
	for label := range strings.FieldsSeq(d.Labels) {
		if err := accept.Label(labels, label); err != nil {
			d.LabelsError = err.Error()
		}
	}
	input, fine := d.Form.Read(r.PostForm)
	if d.Off != "" {
		d.Error = d.Off + " Nothing was started."
		h.showStart(w, r, who, d, http.StatusForbidden)
		return nil
	}
	if !fine || d.LabelsError != "" {
		d.Error = "Nothing was started: correct the marked fields."
		h.showStart(w, r, who, d, http.StatusUnprocessableEntity)
		return nil
	}
	id, err := h.begin(saga.WithActor(r.Context(), who.Name), d, input, labels)
	if err != nil {
		status := statusOf(err)
		if status == http.StatusInternalServerError {
			return err
		}
		d.Error = "Nothing was started: " + err.Error()
		d.Form.Refuse(err.Error())
		h.showStart(w, r, who, d, status)
		return nil
	}
	h.cfg.Logger.Info("run started", "run", id, d.Kind, d.Name, "actor", who.Name)
	show.GoTo(w, r, h.cfg.Base+"/runs/"+id.String(), "Started.")
	return nil
}

// begin starts the run.
func (h *handler) begin(ctx context.Context, d *startPage, input json.RawMessage, labels map[string]string) (domain.RunID, error) {
	opts := []saga.StartOption{saga.Once(d.Once)}
	if d.Key != "" {
		opts = append(opts, saga.Key(d.Key))
	}
	if len(labels) > 0 {
		opts = append(opts, saga.Labels(labels))
	}
	if d.Kind == "action" {
		return h.cfg.Coordinator.InvokeByName(ctx, d.Name, input, opts...)
	}
	return h.cfg.Coordinator.StartByName(ctx, d.Name, d.Version, input, opts...)
}

// signalForm returns the form for a signal's payload, made from the schema that the run's saga
// gives for it. Without a schema the form takes any JSON.
func (h *handler) signalForm(t *told, signal string) *form.Form {
	for _, s := range h.cfg.Coordinator.Sagas() {
		if s.Name == t.look.Run.Saga && s.Version == t.look.Run.Version {
			return form.Of(fieldsOf(s.Signals[signal]))
		}
	}
	return form.Of(fieldsOf(nil))
}

// againPage is the form that starts an ended run again.
type againPage struct {
	Run                 explain.Run
	Input, Key, Default string
	Error, Off          string
}

// againForm shows the form, with the old run's input.
func (h *handler) againForm(w http.ResponseWriter, r *http.Request, who Person) error {
	_, d, err := h.readAgain(r, who)
	if err != nil {
		return err
	}
	h.showAgain(w, r, who, d, http.StatusOK)
	return nil
}

func (h *handler) readAgain(r *http.Request, who Person) (*told, *againPage, error) {
	id, err := h.runParam(r, who)
	if err != nil {
		return nil, nil, err
	}
	t, err := h.tell(r.Context(), who, id)
	if err != nil {
		return nil, nil, err
	}
	d := &againPage{Run: t.look.Run, Input: form.Indented(t.look.Run.Input), Default: "made of the old run's"}
	if !who.Start {
		d.Off = "Your token lacks the scope start."
	}
	return t, d, nil
}

func (h *handler) showAgain(w http.ResponseWriter, r *http.Request, who Person, d *againPage, status int) {
	v := h.view(r, who, "runs", "Start "+d.Run.Saga+" again")
	v.Refresh = 0
	v.D = d
	h.templates.Render(w, r, status, "again", v)
}

// again starts an ended run again. Everything that was typed is kept where it is refused.
func (h *handler) again(w http.ResponseWriter, r *http.Request, who Person) error {
	t, d, err := h.readAgain(r, who)
	if err != nil {
		return err
	}
	d.Input, d.Key = r.PostForm.Get("input"), r.PostForm.Get("key")
	how := saga.Again{Key: d.Key}
	switch {
	case d.Off != "":
		err = fmt.Errorf("%w: %s", errDenied, d.Off)
	case !json.Valid([]byte(d.Input)):
		err = fmt.Errorf("%w: the input is not valid JSON", errBadForm)
	default:
		how.Input, err = form.Restore(json.RawMessage(d.Input), t.look.Run.Input, t.state.Start.Input)
	}
	var id domain.RunID
	if err == nil {
		id, err = h.cfg.Coordinator.StartAgain(saga.WithActor(r.Context(), who.Name), t.id, how)
	}
	if err != nil {
		status := statusOf(err)
		if status == http.StatusInternalServerError {
			return err
		}
		d.Error = "Nothing was started: " + err.Error()
		h.showAgain(w, r, who, d, status)
		return nil
	}
	h.cfg.Logger.Info("run started again", "run", id, "old", t.id, "actor", who.Name)
	show.GoTo(w, r, h.cfg.Base+"/runs/"+id.String(), "Started again.")
	return nil
}
