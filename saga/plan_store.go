package saga

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/saga/internal/definition"
)

// ReadPlan reads the plan with the hash from a log.
func ReadPlan(ctx context.Context, log Log, hash string) (*domain.Plan, error) {
	return readPlan(ctx, log, hash)
}

// findPlan reads the first plan of the hash's stream that can be read, and the stream's last revision up to there.
func findPlan(ctx context.Context, log StreamReader, hash string) (*domain.Plan, domain.Expected, error) {
	plan, last, bad, err := domain.ReadPlanStream(log.ReadStream(ctx, domain.PlanStream(hash), 0))
	switch {
	case err != nil:
		return nil, last, fmt.Errorf("read plan %s: %w", hash, err)
	case plan != nil:
		return plan, last, nil
	case bad != nil:
		return nil, last, fmt.Errorf("plan %s %w: %w", hash, ErrUnreadable, bad)
	}
	return nil, last, fmt.Errorf("plan %s %w: was the log's directory restored without it?", hash, errNoPlan)
}

var errNoPlan = errors.New("is not in the log")

// PlanDefined and SagaRegistered are the wire names of the events in plan and saga streams.
const (
	PlanDefined    = "plan.defined.v1"
	SagaRegistered = "saga.registered.v1"
)

// registration is the data of a saga.registered.v1 event.
type registration struct {
	Version int    `json:"version"`
	Plan    string `json:"plan"`
}

var planSpace = domain.SystemSpace

// publishPlans stores the plans of everything registered, save with [Config.PlansWhenRun], and refuses a saga whose
// name and version the log knows with another plan. A saga whose versions in the log can't be read is
// refused when a run of it is started; the others go on.
func (c *Coordinator) publishPlans(ctx context.Context) error {
	var errs []error
	for _, d := range c.registry.All() {
		var err error
		if c.cfg.PlansWhenRun {
			_, _, err = c.knownVersion(ctx, d.Plan)
		} else {
			err = c.storePlan(ctx, d)
		}
		if errors.Is(err, ErrUnreadable) {
			c.logger.Error("no run of a saga can be started; all others go on", "saga", d.Plan.Saga, "version", d.Plan.Version, "error", err)
			err = nil
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// storePlan sees to it that the log has a plan, and under the saga's version, before a run of it does.
func (c *Coordinator) storePlan(ctx context.Context, d *definition.Definition) error {
	if _, ok := c.stored.Load(d); ok {
		return nil
	}
	p := d.Plan
	if err := c.registerVersion(ctx, p); err != nil {
		return err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if len(data) > domain.MaxAppendSize/2 {
		return fmt.Errorf("the plan of %s v%d is %d bytes of JSON: split it into child sagas", p.Saga, p.Version, len(data))
	}
	e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, data), Type: PlanDefined, Data: data}
	last := domain.NoStream
	for range turnTries {
		err = c.persevere(ctx, domain.PlanStream(p.Hash()), last, e)
		if errors.Is(err, domain.ErrConflict) { // somebody has stored it, or the log refuses for reasons of its own
			_, last, err = findPlan(ctx, c.log, p.Hash())
		}
		if err == nil {
			err = c.storeSecrets(ctx, p)
		}
		if err == nil {
			c.stored.Store(d, nil)
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, errNoPlan) && !errors.Is(err, ErrUnreadable) {
			break
		}
	}
	return fmt.Errorf("store the plan of %s v%d: %w", p.Saga, p.Version, err)
}

// registerVersion lists a saga's version with its plan, once. A single action has version 0, which is not listed.
func (c *Coordinator) registerVersion(ctx context.Context, p *domain.Plan) error {
	stream := domain.SagaPrefix + p.Saga
	for range 100 { // several processes may register at once
		known, expected, err := c.knownVersion(ctx, p)
		if known || err != nil {
			return err
		}
		data, err := json.Marshal(registration{Version: p.Version, Plan: p.Hash()})
		if err != nil {
			return err
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(planSpace, append([]byte(stream), data...)), Type: SagaRegistered, Data: data}
		err = c.persevere(ctx, stream, expected, e)
		if err == nil || !errors.Is(err, domain.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("register saga %s v%d: others keep writing to %s: try again", p.Saga, p.Version, stream)
}

// knownVersion reports whether the log lists the plan under its saga's version, and the last revision of that list. It
// refuses a version that is listed with another plan, and, with [ErrUnreadable], one that may be what an entry lists that
// can't be read.
func (c *Coordinator) knownVersion(ctx context.Context, p *domain.Plan) (bool, domain.Expected, error) {
	expected := domain.NoStream
	if p.Version == 0 {
		return true, expected, nil
	}
	var bad error
	for e, err := range c.registrations(ctx, p.Saga) {
		if err != nil {
			return false, expected, fmt.Errorf("read the versions of saga %s: %w", p.Saga, err)
		}
		if strings.HasPrefix(e.Stream, domain.SagaPrefix) {
			expected = domain.Expected(e.Revision)
		}
		var known registration
		if err := readRegistration(&e, &known); err != nil {
			bad = err
			continue
		}
		switch {
		case known.Version != p.Version:
		case known.Plan == p.Hash():
			return true, expected, nil
		default:
			return false, expected, c.planChanged(ctx, p, known.Plan)
		}
	}
	if bad != nil {
		return false, expected, fmt.Errorf("the versions of saga %s %w: %w: give it another name, or restore the stream from a backup", p.Saga, ErrUnreadable, bad)
	}
	return false, expected, nil
}

func readRegistration(e *domain.Recorded, known *registration) error {
	err := json.Unmarshal(e.Data, known)
	if err == nil && (e.Type != SagaRegistered || known.Version < 1 || known.Plan == "") {
		err = fmt.Errorf("it is no registration")
	}
	if err != nil {
		return fmt.Errorf("%s revision %d (%s): %w", e.Stream, e.Revision, e.Type, err)
	}
	return nil
}

// registrations yields what the log lists of a saga: first what older programs wrote, to a stream
// that today may be an app's, then the stream of today.
func (c *Coordinator) registrations(ctx context.Context, saga string) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for _, stream := range []string{domain.OldSagaPrefix + saga, domain.SagaPrefix + saga} {
			for e, err := range c.log.ReadStream(ctx, stream, 0) {
				if err == nil && stream != domain.SagaPrefix+saga && e.Type != SagaRegistered {
					continue // an app's own event
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

func (c *Coordinator) planChanged(ctx context.Context, p *domain.Plan, hash string) error {
	diff := "(the plan in the log can't be read)"
	if old, err := ReadPlan(ctx, c.log, hash); err == nil {
		diff = definition.PlanDiff(old, p)
	}
	return fmt.Errorf("saga %s v%d: %w: bump the version (runs of the old one go on with their own plan). The difference, log against code:\n%s", p.Saga, p.Version, ErrPlanChanged, diff)
}
