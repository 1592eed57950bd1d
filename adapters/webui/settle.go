package webui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// settle does an act to the chosen incidents and groups: a lever, or one of the desk's own.
func (h *handler) settle(w http.ResponseWriter, r *http.Request, who Person) error {
	if !who.Operate {
		return errDenied
	}
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errBadForm, err)
	}
	form := deskForm{Reason: strings.TrimSpace(r.PostForm.Get("reason")), Output: r.PostForm.Get("output"), To: strings.TrimSpace(r.PostForm.Get("to")), Chosen: make(map[string]bool)}
	chosen := r.PostForm["incident"]
	for _, c := range chosen {
		form.Chosen[c] = true
	}
	again := func(note string, status int) error {
		if _, err := uuid.Parse(r.PostForm.Get("back")); err == nil {
			return h.showIncident(w, r, who, r.PostForm.Get("back"), form, note, status)
		}
		return h.showIncidents(w, r, who, form, note, status)
	}
	act := r.PostForm.Get("act")
	remark, isRemark, err := choice.Act(r.PostForm, who.Name, h.cfg.Now())
	switch {
	case err != nil:
		form.Problem = strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + "."
	case len(chosen) == 0:
		form.Problem = "Choose at least one incident."
	case len(chosen) > incidents.MaxActs:
		form.Problem = fmt.Sprintf("Choose at most %d incidents at once.", incidents.MaxActs)
	case form.Reason == "" && !isRemark:
		form.Problem = "Say why, for the audit."
	}
	if form.Problem != "" {
		return again("", http.StatusUnprocessableEntity)
	}
	var did settled
	if isRemark {
		err = h.remark(r, who, remark, chosen, &did)
	} else {
		err = h.pullEach(r, who, act, &form, chosen, &did)
	}
	if err != nil {
		return err
	}
	h.cfg.Logger.Info("incidents settled", "act", act, "done", did.done, "refused", len(did.refused), "actor", who.Name)
	what := format.Plural(did.done, "incident", "incidents")
	if did.groups {
		what = format.Plural(did.done, "group", "groups")
	}
	note := fmt.Sprintf("%s: %s done", act, what)
	if n := len(did.refused); n > 0 {
		form.Failed = did.refused[:min(n, maxRefusals)]
		form.MoreFailed = n - len(form.Failed)
		return again(note+fmt.Sprintf(", %d refused.", n), http.StatusConflict)
	}
	q := r.URL.Query()
	q.Del("note")
	q.Del("cursor")
	if q.Del("seen"); did.at > 0 {
		q.Set("seen", fmt.Sprint(uint64(did.at)))
	}
	path := "/incidents"
	if back, err := uuid.Parse(r.PostForm.Get("back")); err == nil {
		path += "/" + back.String()
	}
	show.GoTo(w, r, h.cfg.Base+path+"?"+q.Encode(), note+".")
	return nil
}

// pullEach pulls a lever for each of the chosen incidents, and of the open incidents of the chosen
// groups.
func (h *handler) pullEach(r *http.Request, who Person, act string, form *deskForm, chosen []string, did *settled) error {
	if !slices.Contains([]string{"retry", "skip", "substitute", "abandon", "cancel"}, act) {
		return errNoPage
	}
	acting := h.acting(who)
	whole := make(map[domain.RunID]bool) // runs that are done with
	one := func(run domain.RunID, step, name string) {
		if whole[run] {
			did.done++
			return
		}
		err := h.pull(r, who, run, &leverPage{Act: act, Step: step, Reason: form.Reason, Output: form.Output})
		did.at = max(did.at, h.head(r, run))
		if err != nil {
			did.refuse(name, err)
			return
		}
		whole[run] = act == "abandon" || act == "cancel"
		did.done++
	}
	for _, value := range chosen {
		c, err := choice.Read(value)
		if err != nil {
			return errNoPage
		}
		if c.Group == "" {
			t, err := h.tell(r.Context(), who, c.Run)
			if err != nil {
				did.refuse(value, err)
				continue
			}
			one(c.Run, c.Step, t.look.Run.Saga+" "+c.Step)
			continue
		}
		rows, err := acting.Open(r.Context(), c.Group)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			did.refuse("group "+c.Group, fmt.Errorf("none of its incidents is open: %w", domain.ErrNotFound))
		}
		for i := range rows {
			if r.Context().Err() != nil {
				return context.Cause(r.Context())
			}
			one(rows[i].Run, rows[i].Step, rows[i].Saga+" "+cmp.Or(rows[i].Key, rows[i].Run.String())+" "+rows[i].Step)
		}
	}
	return nil
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

// acting is what acts on the view's incidents need.
func (h *handler) acting(who Person) *incidents.Acting {
	return &incidents.Acting{Desk: h.cfg.Coordinator.Desk(), Find: h.cfg.Views.Incidents, Groups: h.cfg.Views.IncidentGroups, Covers: who.sees}
}
