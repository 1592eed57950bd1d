package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"sync"
	"time"

	"github.com/atonehq/atone/cmd/signup/signup"
)

// crmServer is a CRM over HTTP with moods: its behaviour depends on the contact.
type crmServer struct {
	URL    string
	server *http.Server
	done   chan error

	mu       sync.Mutex
	moods    map[string]person // by e-mail address
	contacts map[string]signup.Contact
	emails   map[string]string // e-mail address of every contact ever put, by id
	puts     map[string]int    // calls, by contact id
	deletes  map[string]int
	stats    crmStats
}

// crmStats counts what the CRM answered.
type crmStats struct {
	Calls    int `json:"calls"`
	Failed   int `json:"answered_503"`
	Rejected int `json:"answered_422"`
	TooLate  int `json:"answered_too_late"`
}

func startCRM(all []person) (*crmServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("crm: %w", err)
	}
	c := &crmServer{URL: "http://" + l.Addr().String(), done: make(chan error, 1), moods: make(map[string]person),
		contacts: make(map[string]signup.Contact), emails: make(map[string]string), puts: make(map[string]int), deletes: make(map[string]int)}
	for _, p := range all {
		c.moods[p.Form.Email] = p
	}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /contacts/{id}", c.put)
	mux.HandleFunc("DELETE /contacts/{id}", c.delete)
	mux.HandleFunc("GET /contacts", c.list)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { c.done <- c.server.Serve(l) }()
	return c, nil
}

// Close stops the server and everything that it still answers.
func (c *crmServer) Close() error {
	err := c.server.Close()
	if served := <-c.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (c *crmServer) put(w http.ResponseWriter, r *http.Request) {
	var contact signup.Contact
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&contact); err != nil {
		http.Error(w, "not a contact: "+err.Error(), http.StatusBadRequest)
		return
	}
	id := r.PathValue("id")
	c.mu.Lock()
	c.stats.Calls++
	c.puts[id]++
	c.emails[id] = contact.Email
	p := c.moods[contact.Email]
	status, say := http.StatusNoContent, ""
	switch {
	case p.Mood == moodRejected:
		c.stats.Rejected++
		status, say = http.StatusUnprocessableEntity, "this contact is on the do-not-contact list"
	case c.deletes[id] > 1: // the request came after the undo
		status, say = http.StatusGone, "this contact was deleted"
	case c.puts[id] <= p.Failures:
		c.stats.Failed++
		status, say = http.StatusServiceUnavailable, "the CRM is being looked after"
	default:
		// The CRM stores first and answers later, as a busy system does: a caller that gives up
		// can't know whether the contact is stored.
		c.contacts[id] = contact
	}
	if p.Mood == moodStalled {
		c.stats.TooLate++
	}
	c.mu.Unlock()
	answer(r.Context(), w, p.Latency, status, say)
}

func (c *crmServer) delete(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.mu.Lock()
	c.stats.Calls++
	c.deletes[id]++
	status, say := http.StatusNoContent, ""
	if c.deletes[id] == 1 { // an undo has to be persistent, too
		c.stats.Failed++
		status, say = http.StatusServiceUnavailable, "the CRM is being looked after"
	} else {
		delete(c.contacts, id)
	}
	c.mu.Unlock()
	answer(r.Context(), w, 30*time.Millisecond, status, say)
}

// answer waits, unless the client has gone, and answers.
func answer(ctx context.Context, w http.ResponseWriter, after time.Duration, status int, say string) {
	select {
	case <-time.After(after):
	case <-ctx.Done():
		return
	}
	if say != "" {
		http.Error(w, say, status)
		return
	}
	w.WriteHeader(status)
}

func (c *crmServer) list(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	all := make([]signup.Contact, 0, len(c.contacts))
	for _, v := range c.contacts {
		all = append(all, v)
	}
	c.mu.Unlock()
	sort.Slice(all, func(i, j int) bool { return all[i].Email < all[j].Email })
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(all) // the client may be gone
}

// Stats returns what the CRM answered so far.
func (c *crmServer) Stats() crmStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// contactsOf asks a CRM for its contacts.
func contactsOf(ctx context.Context, url string) ([]signup.Contact, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/contacts", nil)
	if err != nil {
		return nil, fmt.Errorf("ask the CRM: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the CRM: %w", err)
	}
	defer res.Body.Close()
	var all []signup.Contact
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		return nil, fmt.Errorf("ask the CRM: %w", err)
	}
	return all, nil
}
