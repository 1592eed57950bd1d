package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// CookieName is the name of the session's cookie. Over TLS the name gets the prefix __Host-, which
// binds the cookie to this host and to TLS (RFC 6265bis).
const CookieName = "atone_session"

// maxSessions is the highest number of sessions. A login above it ends the session that expires
// first.
const maxSessions = 10_000

// sessions keeps logins in memory: a restart logs everybody out.
type sessions struct {
	now func() time.Time
	ttl time.Duration

	mu   sync.Mutex
	live map[[sha256.Size]byte]session // by the hash of the cookie's value
}

type session struct {
	token   string // the token's id
	expires time.Time
}

func newSessions(now func() time.Time, ttl time.Duration) *sessions {
	return &sessions{now: now, ttl: ttl, live: make(map[[sha256.Size]byte]session)}
}

func (s *sessions) open(w http.ResponseWriter, r *http.Request, token string) {
	value := rand.Text()
	now := s.now()
	s.mu.Lock()
	if len(s.live) >= maxSessions {
		s.makeRoom(now)
	}
	s.live[sha256.Sum256([]byte(value))] = session{token: token, expires: now.Add(s.ttl)}
	s.mu.Unlock()
	http.SetCookie(w, cookie(r, value, int(s.ttl/time.Second)))
}

// makeRoom drops expired sessions or, if there are none, the one that expires first. The caller
// holds mu.
func (s *sessions) makeRoom(now time.Time) {
	var first [sha256.Size]byte
	var ends time.Time
	for k, v := range s.live {
		if !now.Before(v.expires) {
			delete(s.live, k)
		} else if ends.IsZero() || v.expires.Before(ends) {
			first, ends = k, v.expires
		}
	}
	if len(s.live) >= maxSessions {
		delete(s.live, first)
	}
}

// tokenOf returns the id of the token that the request's session was opened with.
func (s *sessions) tokenOf(r *http.Request) (string, bool) {
	key, ok := keyOf(r)
	if !ok {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.live[key]
	if !ok || !s.now().Before(v.expires) {
		delete(s.live, key)
		return "", false
	}
	return v.token, true
}

func (s *sessions) close(r *http.Request) {
	if key, ok := keyOf(r); ok {
		s.mu.Lock()
		delete(s.live, key)
		s.mu.Unlock()
	}
}

func keyOf(r *http.Request) (key [sha256.Size]byte, ok bool) {
	c, err := r.Cookie(cookieName(r))
	if err != nil || c.Value == "" {
		return key, false
	}
	return sha256.Sum256([]byte(c.Value)), true
}

func cookieName(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-" + CookieName
	}
	return CookieName
}

func cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: cookieName(r), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
}
