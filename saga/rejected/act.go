package rejected

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Act is what a person does about rejected events.
type Act string

// The acts.
const (
	// Retry has the trigger look at the event again. If it takes the event now, the run starts.
	Retry Act = "retry"
	// Dismiss says that the event needs no run.
	Dismiss Act = "dismiss"
)

// MaxActs bounds the events of one request.
const MaxActs = 10_000

// Request is an act on rejected events.
type Request struct {
	Act Act
	// IDs are ids of rejections or of events. Without them the open ones that the conditions select
	// are meant: of the Sagas that the events should have started, and of the events' Type.
	IDs   []string
	Sagas []string
	Type  string
	// All must be set where there are neither ids nor conditions.
	All bool
	// Within, if not empty, are the only sagas that are touched, whatever selects the events.
	Within []string
	// Reason is recorded with each event. Only a dry run needs none.
	Reason string
	// DryRun only lists the events.
	DryRun bool
	// Limit bounds how many events one call takes, oldest first; 0 means 1,000.
	Limit int
}

// Result is what became of one event. Event.State is the state after the act.
type Result struct {
	Event
	// Done means that the event is as the act wants it, perhaps since an earlier act.
	Done bool
	// Refused says why not.
	Refused string
}

// Report is what an act did.
type Report struct {
	DryRun bool
	// Matched counts the events that were selected, Done and Failed those that were dealt with.
	Matched, Done, Failed int
	// More means that some were left out, by the limit or because the context ended.
	More    bool
	Results []Result
}

// Validate reports everything that is wrong with the request, as [domain.ErrBadInput].
func (r *Request) Validate() error {
	var errs []error
	if r.Act != Retry && r.Act != Dismiss {
		errs = append(errs, fmt.Errorf("no such act: %.50q: use %s or %s", r.Act, Retry, Dismiss))
	}
	conditions := len(r.Sagas) > 0 || r.Type != ""
	switch {
	case len(r.IDs) > 0 && (conditions || r.All):
		errs = append(errs, errors.New("give ids, or say which events are meant, not both"))
	case len(r.IDs) == 0 && !conditions && !r.All:
		errs = append(errs, errors.New("this selects every rejected event: give an id or a condition, or say that all are meant"))
	}
	if r.Limit < 0 || r.Limit > MaxActs || len(r.IDs) > MaxActs {
		errs = append(errs, fmt.Errorf("at most %d events at once", MaxActs))
	}
	if strings.TrimSpace(r.Reason) == "" && !r.DryRun {
		errs = append(errs, errors.New("a reason is needed: say why"))
	}
	if err := errors.Join(append(errs, accept.Text("the reason", r.Reason))...); err != nil {
		return fmt.Errorf("%s rejected events: %w: %w", domain.CutText(string(r.Act), 50), domain.ErrBadInput, err)
	}
	return nil
}

// width is how many events are retried at once: their appends share a sync.
const width = 16

// Do does the act to each event by itself: if one is refused, the others are still dealt with. Done
// twice, or at two places at once, a retry starts one run, and the second answer is that of the
// first. Errors: [domain.ErrBadInput], [domain.ErrNotRunning], and those of the log.
func (b *Book) Do(ctx context.Context, req *Request) (Report, error) {
	report := Report{DryRun: req.DryRun}
	if err := req.Validate(); err != nil {
		return report, err
	}
	by, err := b.cfg.Actor(ctx)
	if err != nil {
		return report, fmt.Errorf("%s rejected events: %w", req.Act, err)
	}
	chosen, missing, err := b.choose(ctx, req, &report)
	if err != nil {
		return report, err
	}
	report.Results = make([]Result, len(chosen), len(chosen)+len(missing))
	var skipped sync.Map
	var each errgroup.Group
	each.SetLimit(width)
	for i := range chosen {
		each.Go(func() error {
			switch {
			case req.DryRun:
				report.Results[i] = Result{Event: chosen[i]}
			case ctx.Err() != nil:
				skipped.Store(i, true)
			default:
				report.Results[i] = b.one(ctx, req, by, chosen[i])
			}
			return nil
		})
	}
	_ = each.Wait() // none fails
	for i := len(chosen) - 1; i >= 0; i-- {
		if _, skip := skipped.Load(i); skip {
			report.Results, report.More = slices.Delete(report.Results, i, i+1), true
		}
	}
	report.Results = append(report.Results, missing...)
	for i := range report.Results {
		if r := &report.Results[i]; r.Done {
			report.Done++
		} else if r.Refused != "" {
			report.Failed++
		}
	}
	if ctx.Err() == nil {
		err = b.Load(ctx) // so that the list shows it
	}
	return report, err
}

// choose returns the events that a request means, the oldest first, and a refusal for each id that
// names none.
func (b *Book) choose(ctx context.Context, req *Request, report *Report) (chosen []Event, missing []Result, err error) {
	f := Filter{IDs: req.IDs, Sagas: req.Sagas, Type: req.Type, Ascending: true, Limit: req.Limit}
	if f.Limit == 0 {
		f.Limit = 1000
	}
	if len(req.IDs) == 0 {
		f.State = Open
	} else {
		f.Limit = MaxActs // an event may be rejected for several sagas
	}
	if len(req.Within) > 0 {
		f.Sagas = req.Within
		if len(req.Sagas) > 0 {
			f.Sagas = slices.DeleteFunc(slices.Clone(req.Sagas), func(s string) bool { return !slices.Contains(req.Within, s) })
		}
		if len(f.Sagas) == 0 {
			return nil, nil, nil
		}
	}
	page, err := b.List(ctx, f)
	if err != nil {
		return nil, nil, err
	}
	report.Matched, report.More = page.Matched, page.Next != ""
	found := make(map[uuid.UUID]bool)
	for i := range page.Rows {
		found[page.Rows[i].ID], found[page.Rows[i].Event] = true, true
	}
	for _, text := range req.IDs {
		if id, err := uuid.Parse(text); err == nil && !found[id] && !report.More {
			found[id] = true
			missing = append(missing, Result{Event: Event{ID: id}, Refused: "no event of that id was rejected"})
		}
	}
	return page.Rows, missing, nil
}

// one does the act to one event.
func (b *Book) one(ctx context.Context, req *Request, by string, e Event) Result {
	res := Result{Event: e, Done: true}
	settled := settlement{ID: e.ID, Actor: by, Reason: strings.TrimSpace(req.Reason), At: b.cfg.Now().UTC().Round(0)}
	wireName, state := dismissedType, Dismissed
	var err error
	switch {
	case req.Act == Dismiss && e.State == Started:
		err = fmt.Errorf("it was retried by %s, and has started run %s", e.By, e.Run)
	case e.State == Started, req.Act == Dismiss && e.State == Dismissed:
		return res
	case req.Act == Retry:
		wireName, state = startedType, Started
		settled.Run, err = b.cfg.Start(ctx, &e)
	}
	var record domain.NewEvent
	if err == nil {
		record, err = written(uuid.New(), wireName, settled)
	}
	if err == nil {
		if _, err = b.cfg.Log.Append(ctx, Stream, domain.AnyRevision, record); err != nil {
			err = fmt.Errorf("it is not recorded whether that was done, give it again: %w", err)
		}
	}
	if err != nil {
		res.Done, res.Refused = false, domain.ShortMessage(err.Error())
		return res
	}
	res.State, res.Run, res.By, res.Reason, res.Settled = state, settled.Run, by, settled.Reason, settled.At
	return res
}
