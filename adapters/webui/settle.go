package webui

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/webui/internal/choice"
	"github.com/atonehq/atone/adapters/webui/internal/format"
	"github.com/atonehq/atone/adapters/webui/internal/show"
	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/incidents"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/desk"
)

// maxRefusal bounds the text of each refusal, in characters, so that a form's text does not come
// back once for every incident. maxRefusals bounds how many are listed.
const (
	maxRefusal  = 300
	maxRefusals = 50
)

// settled is what an act of the desk did.
type settled struct {
	done    int
	refused []refusal
	at      domain.Position
	// groups means that done counts groups.
	groups bool
}

func (s *settled) refuse(name string, err error) {
	s.refused = append(s.refused, refusal{format.Clip(name, maxRefusal), format.Clip(err.Error(), maxRefusal)})
}

// say says what was done, such as "note: 3 incidents done".
func (s *settled) say(act string) string {
	what := format.Plural(s.done, "incident", "incidents")
	if s.groups {
		what = format.Plural(s.done, "group", "groups")
	}
	return act + ": " + what + " done"
}

// settle does one of the desk's own acts to the chosen incidents and groups: a note, an assignee, a
// snooze. Levers for their runs are acts on many runs, see [handler.many].
func (h *handler) settle(w http.ResponseWriter, r *http.Request, who Person) error {
	if !who.Operate {
		return errDenied
	}
	form := deskForm{Reason: strings.TrimSpace(r.PostForm.Get("reason")), To: strings.TrimSpace(r.PostForm.Get("to")), Chosen: make(map[string]bool)}
	chosen := r.PostForm["incident"]
	for _, c := range chosen {
		form.Chosen[c] = true
	}
	act := r.PostForm.Get("act")
	remark, known, err := choice.Act(r.PostForm, who.Name, h.cfg.Now())
	switch {
	case !known:
		return errNoPage
	case err != nil:
		form.Problem = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
	case len(chosen) == 0:
		form.Problem = "Choose at least one incident."
	case len(chosen) > incidents.MaxActs:
		form.Problem = fmt.Sprintf("Choose at most %d incidents at once.", incidents.MaxActs)
	}
	if form.Problem != "" {
		return h.unsettled(w, r, who, form, http.StatusUnprocessableEntity)
	}
	var did settled
	if err := h.remark(r, who, remark, chosen, &did); err != nil {
		return err
	}
	h.cfg.Logger.Info("incidents settled", "act", act, "done", did.done, "refused", len(did.refused), "actor", who.Name)
	if n := len(did.refused); n > 0 {
		form.Failed = did.refused[:min(n, maxRefusals)]
		form.MoreFailed = n - len(form.Failed)
		form.Done = did.say(act) + fmt.Sprintf(", %d refused.", n)
		return h.unsettled(w, r, who, form, http.StatusConflict)
	}
	q := r.URL.Query()
	q.Del("note")
	q.Del("cursor")
	path := "/incidents"
	if back, err := uuid.Parse(r.PostForm.Get("back")); err == nil {
		path += "/" + back.String()
	}
	if q.Del("seen"); did.at > 0 {
		q.Set("seen", fmt.Sprint(uint64(did.at)))
	}
	show.GoTo(w, r, h.cfg.Base+path+"?"+q.Encode(), did.say(act)+".")
	return nil
}

// unsettled says what is missing, or what was refused: in a sheet over the desk, where the reader's
// choice and text stay, or for a browser without scripts on the page that it came from.
func (h *handler) unsettled(w http.ResponseWriter, r *http.Request, who Person, form deskForm, status int) error {
	if r.Header.Get("HX-Target") == "sheet" {
		v := h.view(r, who, "incidents", "Incidents")
		v.D = &form
		h.templates.Render(w, r, status, "unsettled", v)
		return nil
	}
	if strings.HasSuffix(r.URL.Path, "/rejected") {
		return h.showRejected(w, r, who, form, status)
	}
	if back := r.PostForm.Get("back"); uuid.Validate(back) == nil {
		return h.showIncident(w, r, who, back, form, status)
	}
	return h.showIncidents(w, r, who, form, status)
}

// remark does one of the desk's own acts to the chosen incidents and groups.
func (h *handler) remark(r *http.Request, who Person, act desk.Act, chosen []string, did *settled) error {
	targets := make([]string, len(chosen))
	for i, value := range chosen {
		c, err := choice.Read(value)
		if err != nil {
			return errNoPage
		}
		targets[i] = c.Target()
	}
	report, err := h.acting(who).Do(saga.WithActor(r.Context(), who.Name), targets, act)
	if err != nil {
		return err
	}
	for i := range report.Results {
		res := &report.Results[i]
		switch {
		case res.Error != "":
			did.refuse(strings.TrimSpace(res.Saga+" "+res.Group), errors.New(res.Error))
		case res.Group != "":
			did.done, did.groups = did.done+1, true
		default:
			did.done += len(res.Incidents)
			did.at = max(did.at, h.head(r, res.Run))
		}
	}
	return nil
}
