package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/atonehq/atone/projections"
	"github.com/atonehq/atone/projections/sqlstore"
	"github.com/atonehq/atone/projections/sqlstore/question"
)

// Generations implements [projections.Store].
func (s *Store) Generations(ctx context.Context, view string) ([]projections.Generation, error) {
	list, err := sqlstore.Generations(ctx, s.db, dialect{}, view)
	if err != nil {
		return nil, fmt.Errorf("postgres: list the generations of %s: %w", view, err)
	}
	out := make([]projections.Generation, len(list))
	for i, g := range list {
		out[i] = g.Generation
	}
	return out, nil
}

// Create implements [projections.Store].
func (s *Store) Create(ctx context.Context, v *projections.View) (number int, err error) {
	err = s.within(ctx, nil, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 1))`, s.cfg.Schema+"/"+v.Name); err != nil {
			return err
		}
		list, err := sqlstore.Generations(ctx, tx, dialect{}, v.Name)
		if err != nil {
			return err
		}
		number = 1
		if n := len(list); n > 0 {
			number = list[n-1].Number + 1
		}
		return s.space(v, number).Create(ctx, tx)
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: create the tables of %s: %w", v.Name, err)
	}
	return number, nil
}

// Update implements [projections.Store].
func (s *Store) Update(ctx context.Context, v *projections.View, generation int, from, to projections.Checkpoint, apply func(projections.Tx) error) error {
	err := s.space(v, generation).Update(ctx, from, to, apply)
	if isUndefinedTable(err) {
		return fmt.Errorf("postgres: generation %d of %s was dropped (%w): %w", generation, v.Name, err, projections.ErrSuperseded)
	}
	return err
}

// Promote implements [projections.Store].
func (s *Store) Promote(ctx context.Context, v *projections.View, generation int) error {
	// The planner has no statistics yet of tables that were just filled, nor does it know that it
	// can read the indexes alone. Autovacuum would tell it in a minute or so.
	for i := range v.Tables {
		t := &v.Tables[i]
		physical := prefix(v.Name, generation) + t.Name
		names := question.Quote(physical)
		if t.Listed() {
			names += ", " + question.Quote(question.ListsOf(physical)) + ", " + question.Quote(question.RangesOf(physical))
		}
		if _, err := s.db.ExecContext(ctx, `VACUUM (ANALYZE) `+names); err != nil {
			return fmt.Errorf("postgres: promote generation %d of %s: %w", generation, v.Name, err)
		}
	}
	var dropped []int
	err := s.within(ctx, nil, func(tx *sql.Tx) error {
		list, err := sqlstore.Generations(ctx, tx, dialect{}, v.Name)
		if err != nil {
			return err
		}
		for _, g := range list {
			if g.Number < generation {
				dropped = append(dropped, g.Number)
				if err := dropTables(ctx, tx, v.Name, g.Number); err != nil {
					return err
				}
			}
		}
		return s.space(v, generation).Promote(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("postgres: promote generation %d of %s: %w", generation, v.Name, err)
	}
	s.forget(v.Name, dropped)
	return nil
}

// MarkOld implements [projections.Store].
func (s *Store) MarkOld(ctx context.Context, v *projections.View, generation int) error {
	if err := s.space(v, generation).MarkOld(ctx, s.db); err != nil {
		return fmt.Errorf("postgres: mark generation %d of %s as old: %w", generation, v.Name, err)
	}
	return nil
}

// Drop implements [projections.Store].
func (s *Store) Drop(ctx context.Context, v *projections.View, generation int) error {
	err := s.within(ctx, nil, func(tx *sql.Tx) error {
		if err := dropTables(ctx, tx, v.Name, generation); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM atone_generations WHERE view = $1 AND generation = $2 AND live = 0`, v.Name, generation)
		return err
	})
	if err != nil {
		return fmt.Errorf("postgres: drop generation %d of %s: %w", generation, v.Name, err)
	}
	s.forget(v.Name, []int{generation})
	return nil
}

// dropTables drops all tables that the generation has: an earlier version of the view may have had
// others.
func dropTables(ctx context.Context, tx *sql.Tx, view string, number int) error {
	names, err := tablesOf(ctx, tx, view, number)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := tx.ExecContext(ctx, `DROP TABLE "`+name+`"`); err != nil {
			return err
		}
	}
	return nil
}

// tablesOf returns the names of the tables that the generation has.
func tablesOf(ctx context.Context, tx *sql.Tx, view string, number int) (names []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND starts_with(tablename, $1)`, prefix(view, number))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// forget releases the prepared statements of dropped generations.
func (s *Store) forget(view string, numbers []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, space := range s.spaces {
		for _, n := range numbers {
			if k.view.Name == view && k.number == n {
				delete(s.spaces, k)
				space.Close()
			}
		}
	}
}

// Select implements [projections.Store].
func (s *Store) Select(ctx context.Context, v *projections.View, q projections.Query) (projections.Found, error) {
	return sqlstore.Select(ctx, v, q, s.ask)
}

// Values implements [projections.Store].
func (s *Store) Values(ctx context.Context, v *projections.View, q projections.ValuesQuery) ([]projections.Value, error) {
	return sqlstore.Values(ctx, v, q, s.ask)
}

// ask calls read with the generation that answers queries: catalog and rows are read in one
// snapshot.
func (s *Store) ask(ctx context.Context, v *projections.View, read func(*sqlstore.Space, *sql.Tx) error) (as projections.Generation, err error) {
	for asked := 0; ; asked = as.Number {
		as, err = s.askOnce(ctx, v, read)
		if isUndefinedTable(err) && as.Number != asked {
			continue // a swap came between: ask the new tables
		}
		return as, err
	}
}

func (s *Store) askOnce(ctx context.Context, v *projections.View, read func(*sqlstore.Space, *sql.Tx) error) (as projections.Generation, err error) {
	err = s.within(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}, func(tx *sql.Tx) error {
		// A generic plan is bad for rare values and for common ones.
		if _, err := tx.ExecContext(ctx, `SET LOCAL plan_cache_mode = force_custom_plan`); err != nil {
			return fmt.Errorf("postgres: prepare to query %s: %w", v.Name, err)
		}
		list, err := sqlstore.Generations(ctx, tx, dialect{}, v.Name)
		if err != nil {
			return fmt.Errorf("postgres: list the generations of %s: %w", v.Name, err)
		}
		best := sqlstore.Choose(v, len(list), func(i int) sqlstore.Listed { return list[i] })
		if best < 0 {
			return fmt.Errorf("%s: %w", v.Name, projections.ErrNoView)
		}
		as = list[best].Generation
		return read(&sqlstore.Space{Dialect: dialect{}, View: v, Number: as.Number, Prefix: prefix(v.Name, as.Number)}, tx)
	})
	return as, err
}
