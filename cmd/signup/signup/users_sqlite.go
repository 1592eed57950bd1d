package signup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver
)

// SQLiteUsers is a users table in a SQLite file. Open it before anything else; it is then safe for
// concurrent use, also by several processes.
type SQLiteUsers struct{ db *sql.DB }

const usersSchema = `CREATE TABLE IF NOT EXISTS users (
	id    TEXT PRIMARY KEY,
	key   TEXT NOT NULL UNIQUE, -- the idempotency key of the attempt that made the row
	name  TEXT NOT NULL,
	email TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS undone (
	key TEXT PRIMARY KEY -- of an undone sign-up: a Create with this key comes too late
) STRICT`

// Open opens the file and the table, and creates them if they are missing.
func (u *SQLiteUsers) Open(ctx context.Context, file string) error {
	dsn := url.URL{Scheme: "file", Opaque: url.PathEscape(file), RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return fmt.Errorf("open users table %s: %w", file, err)
	}
	if err := u.Use(ctx, db); err != nil {
		return errors.Join(fmt.Errorf("open users table %s: %w", file, err), db.Close())
	}
	return nil
}

// Use keeps the accounts in a SQLite database that the caller opened. Close closes it.
func (u *SQLiteUsers) Use(ctx context.Context, db *sql.DB) error {
	db.SetMaxOpenConns(1) // SQLite has one writer; more connections would only wait for each other
	if _, err := db.ExecContext(ctx, usersSchema); err != nil {
		return fmt.Errorf("make the users table: %w", err)
	}
	u.db = db
	return nil
}

// Close closes the file, if it is open.
func (u *SQLiteUsers) Close() error {
	if u.db == nil {
		return nil
	}
	return u.db.Close()
}

// userSpace is the name space of user ids: the same key always names the same user.
var userSpace = uuid.MustParse("2c9a1f4e-7d54-5b0e-9f5c-51c0a9e2b7d1")

// Create implements [Users].
func (u *SQLiteUsers) Create(ctx context.Context, key string, f Form) (User, error) {
	made := User{ID: uuid.NewSHA1(userSpace, []byte(key)).String(), Name: f.Name, Email: f.Email}
	if _, err := u.db.ExecContext(ctx, `INSERT INTO users (id, key, name, email) SELECT ?1, ?2, ?3, ?4
		WHERE NOT EXISTS (SELECT 1 FROM undone WHERE key = ?2) ON CONFLICT DO NOTHING`, made.ID, key, f.Name, f.Email); err != nil {
		return User{}, fmt.Errorf("insert user: %w", err)
	}
	var owner string
	switch err := u.db.QueryRowContext(ctx, `SELECT key FROM users WHERE email = ?`, f.Email).Scan(&owner); {
	case errors.Is(err, sql.ErrNoRows):
		return User{}, fmt.Errorf("%s: %w", f.Email, ErrUndone)
	case err != nil:
		return User{}, fmt.Errorf("read user back: %w", err)
	case owner != key:
		return User{}, fmt.Errorf("%s: %w", f.Email, ErrEmailTaken)
	}
	return made, nil
}

// Delete implements [Users].
func (u *SQLiteUsers) Delete(ctx context.Context, key string) error {
	tx, err := u.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	for _, query := range [...]string{`INSERT INTO undone (key) VALUES (?) ON CONFLICT DO NOTHING`, `DELETE FROM users WHERE key = ?`} {
		if _, err := tx.ExecContext(ctx, query, key); err != nil {
			return fmt.Errorf("delete user: %w", err)
		}
	}
	return tx.Commit()
}

// All returns every account, by e-mail address.
func (u *SQLiteUsers) All(ctx context.Context) ([]User, error) {
	rows, err := u.db.QueryContext(ctx, `SELECT id, name, email FROM users ORDER BY email`)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		var v User
		if err := rows.Scan(&v.ID, &v.Name, &v.Email); err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
