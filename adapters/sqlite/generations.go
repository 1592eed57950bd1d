package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
)

// lease is a turn within this process.
type lease struct {
	turn chan struct{}
	lost chan struct{}
}

// Lost implements [projections.Lease]; it never happens.
func (l *lease) Lost() <-chan struct{} { return l.lost }

// Release implements [projections.Lease].
func (l *lease) Release() { <-l.turn }

// Lease implements [projections.Store] for the callers of this Store.
func (s *Store) Lease(ctx context.Context, view string) (projections.Lease, error) {
	s.mu.Lock()
	turn := s.leases[view]
	if turn == nil {
		turn = make(chan struct{}, 1)
		s.leases[view] = turn
	}
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return &lease{turn: turn, lost: make(chan struct{})}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Generations implements [projections.Store].
func (s *Store) Generations(ctx context.Context, view string) ([]projections.Generation, error) {
	list, err := s.list(ctx, view)
	if err != nil {
		return nil, err
	}
	out := make([]projections.Generation, len(list))
	for i, l := range list {
		out[i] = l.Generation
	}
	return out, nil
}

// Create implements [projections.Store].
func (s *Store) Create(ctx context.Context, v *projections.View) (int, error) {
	s.creating.Lock() // two calls at once must not get the same number
	defer s.creating.Unlock()
	numbers, err := s.numbers(v.Name)
	if err != nil {
		return 0, err
	}
	number := 1
	if n := len(numbers); n > 0 {
		number = numbers[n-1] + 1
	}
	f, err := s.open(v.Name, number, "rwc")
	if err != nil {
		return 0, err
	}
	return number, f.within(func() error {
		tx, err := f.write.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("sqlite: create %s: %w", f.path, err)
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if _, err := tx.ExecContext(ctx, sqlstore.Catalog); err != nil {
			return fmt.Errorf("sqlite: create %s: %w", f.path, err)
		}
		if err := s.spaceOf(f, v).Create(ctx, tx); err != nil {
			return fmt.Errorf("sqlite: create %s: %w", f.path, err)
		}
		return tx.Commit()
	})
}

// within runs f while the file stays open.
func (f *file) within(do func() error) error {
	f.use.RLock()
	defer f.use.RUnlock()
	if f.gone {
		return fmt.Errorf("sqlite: %s: %w", f.path, projections.ErrSuperseded)
	}
	return do()
}

// Update implements [projections.Store].
func (s *Store) Update(ctx context.Context, v *projections.View, generation int, from, to projections.Checkpoint, apply func(projections.Tx) error) error {
	f, err := s.file(v.Name, generation)
	if err != nil {
		return err
	}
	return f.superseded(f.within(func() error { return s.spaceOf(f, v).Update(ctx, from, to, apply) }))
}

// Promote implements [projections.Store]. If it is interrupted after the flag was set, the next
// Promote removes the old files.
func (s *Store) Promote(ctx context.Context, v *projections.View, generation int) error {
	f, err := s.file(v.Name, generation)
	if err != nil {
		return err
	}
	err = f.within(func() error {
		tx, err := f.write.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // after a commit it does nothing
		if err := s.spaceOf(f, v).Promote(ctx, tx); err != nil {
			return err
		}
		return tx.Commit()
	})
	if err != nil {
		return fmt.Errorf("sqlite: promote %s: %w", f.path, err)
	}
	numbers, err := s.numbers(v.Name)
	for _, n := range numbers {
		if n < generation {
			err = errors.Join(err, s.remove(v.Name, n))
		}
	}
	return err
}

// MarkOld implements [projections.Store].
func (s *Store) MarkOld(ctx context.Context, v *projections.View, generation int) error {
	f, err := s.file(v.Name, generation)
	if err == nil {
		err = f.superseded(f.within(func() error { return s.spaceOf(f, v).MarkOld(ctx, f.write) }))
	}
	if err != nil {
		return fmt.Errorf("sqlite: mark generation %d of %s as old: %w", generation, v.Name, err)
	}
	return nil
}

// Drop implements [projections.Store].
func (s *Store) Drop(_ context.Context, v *projections.View, generation int) error {
	return s.remove(v.Name, generation)
}

func (s *Store) remove(view string, number int) error {
	f, err := s.file(view, number)
	if err != nil {
		return err
	}
	err = f.remove()
	s.mu.Lock() // forget it only now: nobody may open it again before it is gone
	if s.files[f.path] == f {
		delete(s.files, f.path)
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("sqlite: remove %s: %w", f.path, err)
	}
	return nil
}

// Select implements [projections.Store].
func (s *Store) Select(ctx context.Context, v *projections.View, q projections.Query) (projections.Found, error) {
	return sqlstore.Select(ctx, v, q, s.ask)
}

// Values implements [projections.Store].
func (s *Store) Values(ctx context.Context, v *projections.View, q projections.ValuesQuery) ([]projections.Value, error) {
	return sqlstore.Values(ctx, v, q, s.ask)
}

// ask calls read with the generation that answers queries.
func (s *Store) ask(ctx context.Context, v *projections.View, read func(*sqlstore.Space, *sql.Tx) error) (projections.Generation, error) {
	for {
		list, err := s.list(ctx, v.Name)
		if err != nil {
			return projections.Generation{}, err
		}
		best := sqlstore.Choose(v, len(list), func(i int) sqlstore.Listed { return list[i].Listed })
		if best < 0 {
			return projections.Generation{}, fmt.Errorf("%s: %w", v.Name, projections.ErrNoView)
		}
		as, err := s.askFile(ctx, list[best].file, v, read)
		if errors.Is(list[best].file.superseded(err), projections.ErrSuperseded) {
			continue // the generations were swapped meanwhile: ask the new one
		}
		return as, err
	}
}

// askFile reads checkpoint and rows in one snapshot.
func (s *Store) askFile(ctx context.Context, f *file, v *projections.View, read func(*sqlstore.Space, *sql.Tx) error) (as projections.Generation, err error) {
	err = f.within(func() error {
		tx, err := f.read.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("sqlite: %s: %w", f.path, err)
		}
		defer func() { err = errors.Join(err, tx.Rollback()) }()
		list, err := sqlstore.Generations(ctx, tx, dialect{}, v.Name)
		if err != nil {
			return fmt.Errorf("sqlite: %s: %w", f.path, err)
		}
		as = list[len(list)-1].Generation
		return read(&sqlstore.Space{Dialect: dialect{}, View: v, Number: f.number}, tx)
	})
	return as, err
}
