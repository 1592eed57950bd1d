package plans

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

// registration is the data of a saga.registered.v1 event.
type registration struct {
	Version int    `json:"version"`
	Plan    string `json:"plan"`
}

// registerVersion lists a saga's version with its plan, once, and returns the definition in force.
// A single action has version 0, which is not listed.
func (s *Store) registerVersion(ctx context.Context, d *definition.Definition) (*definition.Definition, error) {
	p := d.Plan
	stream := domain.SagaPrefix + p.Saga
	for range 100 { // several processes may register at once
		known, expected, err := s.knownVersion(ctx, d)
		if known != nil || err != nil {
			return known, err
		}
		data, err := json.Marshal(registration{Version: p.Version, Plan: p.Hash()})
		if err != nil {
			return nil, err
		}
		e := domain.NewEvent{ID: uuid.NewSHA1(space, append([]byte(stream), data...)), Type: Registered, Data: data}
		err = s.journal.Persevere(ctx, stream, expected, e)
		if err == nil {
			return d, nil
		}
		if !errors.Is(err, domain.ErrConflict) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("register saga %s v%d: others keep writing to %s: try again", p.Saga, p.Version, stream)
}

// knownVersion returns the definition in force, nil where the log does not list the saga's version
// yet, and the last revision of that list. A version that is listed with a plan of other policies
// is taken as it is listed. It refuses one that is listed with another plan, and, with
// [domain.ErrUnreadable], one that may be what an entry lists that can't be read.
func (s *Store) knownVersion(ctx context.Context, d *definition.Definition) (*definition.Definition, domain.Expected, error) {
	p, expected := d.Plan, domain.NoStream
	if p.Version == 0 {
		return d, expected, nil
	}
	var bad error
	for e, err := range s.registrations(ctx, p.Saga) {
		if err != nil {
			return nil, expected, fmt.Errorf("read the versions of saga %s: %w", p.Saga, err)
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
			return d, expected, nil
		default:
			return s.listed(ctx, p, known.Plan, expected)
		}
	}
	if bad != nil {
		return nil, expected, fmt.Errorf("the versions of saga %s %w: %w: give it another name, or restore the stream from a backup", p.Saga, domain.ErrUnreadable, bad)
	}
	return nil, expected, nil
}

// listed takes the plan that the log lists for the version of another one, if they differ in
// nothing that a run does.
func (s *Store) listed(ctx context.Context, p *domain.Plan, hash string, expected domain.Expected) (*definition.Definition, domain.Expected, error) {
	old, err := Read(ctx, s.journal, hash)
	if err == nil && old.DoesTheSame(p) {
		return s.registry.Adopt(old), expected, nil
	}
	diff := "(the plan in the log can't be read)"
	if err == nil {
		diff = definition.PlanDiff(old, p)
	}
	return nil, expected, fmt.Errorf("saga %s v%d: %w: bump the version (runs of the old one go on with their own plan). The difference, log against code:\n%s", p.Saga, p.Version, domain.ErrPlanChanged, diff)
}

func readRegistration(e *domain.Recorded, known *registration) error {
	err := json.Unmarshal(e.Data, known)
	if err == nil && (e.Type != Registered || known.Version < 1 || known.Plan == "") {
		err = fmt.Errorf("it is no registration")
	}
	if err != nil {
		return fmt.Errorf("%s revision %d (%s): %w", e.Stream, e.Revision, e.Type, err)
	}
	return nil
}

// registrations yields what the log lists of a saga: first what older programs wrote, to a stream
// that today may be an app's, then the stream of today.
func (s *Store) registrations(ctx context.Context, saga string) iter.Seq2[domain.Recorded, error] {
	return func(yield func(domain.Recorded, error) bool) {
		for _, stream := range []string{domain.OldSagaPrefix + saga, domain.SagaPrefix + saga} {
			for e, err := range s.journal.ReadStream(ctx, stream, 0) {
				if err == nil && stream != domain.SagaPrefix+saga && e.Type != Registered {
					continue // an app's own event
				}
				if !yield(e, err) {
					return
				}
			}
		}
	}
}
