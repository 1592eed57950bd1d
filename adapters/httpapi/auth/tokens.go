package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/domain/accept"
)

// Log is the part of an event log that tokens use.
type Log interface {
	Append(ctx context.Context, stream string, expected domain.Expected, events ...domain.NewEvent) (domain.Appended, error)
	ReadStream(ctx context.Context, stream string, from uint64) iter.Seq2[domain.Recorded, error]
	Subscribe(ctx context.Context, after domain.Position, filter domain.Filter) iter.Seq2[domain.Delivery, error]
}

// Stream is the stream of tokens. Each creation and each revocation is an event with an actor. The
// events have SHA-256 hashes of the secrets, never the secrets.
const Stream = domain.SystemPrefix + "tokens"

// The wire names of the events of tokens.
const (
	TokenCreated = "atone.token_created.v1"
	TokenRevoked = "atone.token_revoked.v1"
)

// Errors of tokens.
var (
	// ErrDenied means that a token is unknown, has expired or was revoked.
	ErrDenied = errors.New("the token is unknown, has expired or was revoked: ask for a new one")
	// ErrNameTaken means that a valid token has the name.
	ErrNameTaken = errors.New("there is a token with this name: revoke it, or choose another name")
	// ErrNoToken means that no valid token has the name.
	ErrNoToken = errors.New("no such token")
	// ErrBadToken means that the [Spec] of a new token is not valid.
	ErrBadToken = errors.New("bad token")
)

// Token is a token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Hash    string    `json:"hash"` // hex SHA-256 of the whole secret
	Scopes  []Scope   `json:"scopes"`
	Sagas   []string  `json:"sagas,omitempty"`
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"-"`
}

// good reports whether the token can be used at the time.
func (t *Token) good(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// Identity returns who the bearer of the token is.
func (t *Token) Identity() Identity { return Identity{Name: t.Name, Scopes: t.Scopes, Sagas: t.Sagas} }

type revocation struct {
	ID string    `json:"id"`
	By string    `json:"by,omitempty"`
	At time.Time `json:"at"`
}

// Tokens keeps the tokens of one log. It is safe for concurrent use.
type Tokens struct {
	log Log
	now func() time.Time

	mu   sync.RWMutex
	byID map[string]*Token
	next uint64 // the revision to read next
}

// NewTokens returns the tokens of a log; it reads nothing yet. A nil clock means time.Now.
func NewTokens(log Log, now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{log: log, now: now, byID: make(map[string]*Token)}
}

// Load reads the new events of the log.
func (t *Tokens) Load(ctx context.Context) error {
	t.mu.RLock()
	next := t.next
	t.mu.RUnlock()
	for r, err := range t.log.ReadStream(ctx, Stream, next) {
		if err != nil {
			return fmt.Errorf("read tokens: %w", err)
		}
		if err := t.apply(&r); err != nil {
			return err
		}
	}
	return nil
}

// Run follows the log until ctx ends, so that this process knows the tokens that others create or
// revoke. It returns nil when ctx ends.
func (t *Tokens) Run(ctx context.Context) error {
	for d, err := range t.log.Subscribe(ctx, 0, domain.Filter{Prefixes: []string{Stream}}) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow tokens: %w", err)
		}
		if d.Event == nil || d.Event.Stream != Stream {
			continue
		}
		if err := t.apply(d.Event); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tokens) apply(r *domain.Recorded) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Revision < t.next {
		return nil
	}
	switch r.Type {
	case TokenCreated:
		tok := new(Token)
		if err := json.Unmarshal(r.Data, tok); err != nil {
			return fmt.Errorf("read token at revision %d: %w", r.Revision, err)
		}
		t.byID[tok.ID] = tok
	case TokenRevoked:
		var v revocation
		if err := json.Unmarshal(r.Data, &v); err != nil {
			return fmt.Errorf("read token at revision %d: %w", r.Revision, err)
		}
		if tok := t.byID[v.ID]; tok != nil {
			tok.Revoked = v.At
		}
	}
	t.next = r.Revision + 1
	return nil
}

// Any reports whether there is a valid token.
func (t *Tokens) Any() bool {
	return slices.ContainsFunc(t.List(), func(tok Token) bool { return tok.good(t.now()) })
}

// List returns all tokens, including ended ones, in the order of their creation.
func (t *Tokens) List() []Token {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]Token, 0, len(t.byID))
	for _, tok := range t.byID {
		out = append(out, *tok)
	}
	slices.SortFunc(out, func(a, b Token) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Spec describes a new token.
type Spec struct {
	// Name is the actor in the audit: 1 to 100 letters, digits, '.', '_', '@' or '-'.
	Name   string
	Scopes []Scope
	// Sagas binds the token to these sagas and single actions; empty means all.
	Sagas []string
	// Expires is when the token ends by itself; zero means never.
	Expires time.Time
	// By is who creates the token.
	By string
}

// Validate reports everything that is not valid, as [ErrBadToken].
func (s *Spec) Validate(now time.Time) error {
	switch {
	case !tokenName.MatchString(s.Name):
		return fmt.Errorf("%w: name %q: use 1 to 100 letters, digits, '.', '_', '@' or '-'", ErrBadToken, s.Name)
	case len(s.Scopes) == 0:
		return fmt.Errorf("%w: a token needs a scope: read, start, operate or admin", ErrBadToken)
	case !s.Expires.IsZero() && !s.Expires.After(now):
		return fmt.Errorf("%w: its end is in the past", ErrBadToken)
	}
	errs := []error{accept.Time("its end", s.Expires), accept.OptionalName("who makes it", s.By, accept.MaxName)}
	for _, name := range s.Sagas {
		errs = append(errs, accept.Name("a saga that it is good for", name, 100))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	return nil
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$`)

// Create makes a token and returns it with its secret, which is not stored anywhere. Errors:
// [ErrNameTaken], [ErrBadToken].
func (t *Tokens) Create(ctx context.Context, spec Spec) (Token, string, error) {
	now := t.now().UTC()
	if err := spec.Validate(now); err != nil {
		return Token{}, "", err
	}
	id, secret := newSecret()
	tok := Token{ID: id, Name: spec.Name, Hash: hashOf(secret), Scopes: spec.Scopes, Sagas: spec.Sagas, Created: now, By: spec.By, Expires: spec.Expires}
	err := t.append(ctx, TokenCreated, spec.By, tok, func() error {
		if t.named(spec.Name, now) != nil {
			return fmt.Errorf("%q: %w", spec.Name, ErrNameTaken)
		}
		return nil
	})
	return tok, secret, err
}

// Revoke ends the valid token with that name. Errors: [ErrNoToken].
func (t *Tokens) Revoke(ctx context.Context, name, by string) error {
	now := t.now().UTC()
	v := revocation{By: by, At: now}
	return t.append(ctx, TokenRevoked, by, &v, func() error {
		tok := t.named(name, now)
		if tok == nil {
			return fmt.Errorf("%q: %w", name, ErrNoToken)
		}
		v.ID = tok.ID
		return nil
	})
}

func (t *Tokens) named(name string, now time.Time) *Token {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, tok := range t.byID {
		if tok.Name == name && tok.good(now) {
			return tok
		}
	}
	return nil
}

// append writes an event if check returns nil for the current tokens.
func (t *Tokens) append(ctx context.Context, wireName, by string, payload any, check func() error) error {
	meta, err := json.Marshal(domain.Meta{At: t.now().UTC(), Actor: by})
	if err != nil {
		return fmt.Errorf("write token: %w", err)
	}
	for range 100 { // several processes may write at once
		if err := t.Load(ctx); err != nil {
			return err
		}
		if err := check(); err != nil {
			return err
		}
		data, err := json.Marshal(payload)
		if err != nil {
			return fmt.Errorf("write token: %w", err)
		}
		t.mu.RLock()
		expected := domain.Expected(t.next) - 1
		t.mu.RUnlock()
		_, err = t.log.Append(ctx, Stream, expected, domain.NewEvent{ID: uuid.New(), Type: wireName, Data: data, Metadata: meta})
		if err == nil {
			return t.Load(ctx)
		}
		if !errors.Is(err, domain.ErrConflict) {
			return fmt.Errorf("write token: %w", err)
		}
	}
	return errors.New("write token: other processes keep writing tokens: try again")
}

// Verify returns the token that has the secret. If the token is unknown, Verify reads the log for
// new ones. The comparison takes the same time wherever the secrets differ. Errors: [ErrDenied].
func (t *Tokens) Verify(ctx context.Context, secret string) (Token, error) {
	id, ok := idOf(secret)
	if !ok {
		return Token{}, ErrDenied
	}
	tok, known := t.lookup(id)
	if !known {
		if err := t.Load(ctx); err != nil {
			return Token{}, err
		}
		tok, known = t.lookup(id)
	}
	sum := hashOf(secret)
	if !known {
		tok.Hash = strings.Repeat("0", len(sum)) // compared as well, to take the same time
	}
	same := subtle.ConstantTimeCompare([]byte(sum), []byte(tok.Hash)) == 1
	if !known || !same || !tok.good(t.now()) {
		return Token{}, ErrDenied
	}
	return tok, nil
}

// Good returns the token with the id, and whether it is valid now.
func (t *Tokens) Good(id string) (Token, bool) {
	tok, ok := t.lookup(id)
	return tok, ok && tok.good(t.now())
}

func (t *Tokens) lookup(id string) (Token, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	tok := t.byID[id]
	if tok == nil {
		return Token{}, false
	}
	return *tok, true
}

// secretPrefix lets scanners for leaked secrets find tokens.
const secretPrefix = "atone_"

// newSecret returns a token's id and secret: atone_<id>_<43 characters>, which are 256 random bits.
func newSecret() (id, secret string) {
	var b [38]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	id = hex.EncodeToString(b[:6])
	return id, secretPrefix + id + "_" + base64.RawURLEncoding.EncodeToString(b[6:])
}

func idOf(secret string) (string, bool) {
	rest, ok := strings.CutPrefix(secret, secretPrefix)
	if !ok || len(secret) > 200 {
		return "", false
	}
	id, _, ok := strings.Cut(rest, "_")
	return id, ok && len(id) == 12
}

// hashOf needs no salt and no stretching: the secret is random, 256 bits long.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
