package groups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// Errors of the [Manager].
var (
	// ErrExists means that there is a group of that name already.
	ErrExists = errors.New("the group exists")
	// ErrNotFound means that there is no group of that name.
	ErrNotFound = errors.New("the group does not exist")
	// ErrNotReady means that the groups are not started, or being restarted.
	ErrNotReady = errors.New("the groups are not ready")
)

const (
	configStream = "$persistentSubscriptionConfig"
	configType   = "PersistentConfig1"
)

// config is the content of the configuration stream's newest event.
type config struct {
	Version   string     `json:"version"`
	Updated   time.Time  `json:"updated"`
	UpdatedBy string     `json:"updatedBy"`
	Entries   []Settings `json:"entries"`
}

// FilterFunc builds the filter that a specification describes.
type FilterFunc func(FilterSpec) (func(*domain.Recorded) bool, error)

// Manager keeps all groups. Its methods are safe to call concurrently.
type Manager struct {
	db     *streamdb.DB
	now    func() time.Time
	logger *slog.Logger
	filter FilterFunc

	// change is held while groups are created, changed or ended, through all of the writes.
	// mu guards the fields only.
	change sync.Mutex
	mu     sync.RWMutex
	life   context.Context // nil until started
	closed bool
	groups map[string]*Group
	conf   config
}

// NewManager returns a manager without any groups; [Manager.Start] loads them.
func NewManager(db *streamdb.DB, now func() time.Time, logger *slog.Logger, filter FilterFunc) *Manager {
	return &Manager{db: db, now: now, logger: logger, filter: filter, groups: map[string]*Group{}}
}

// Start loads the groups and starts each one. They live until [Manager.Stop]. After
// [Manager.Close] it returns [ErrNotReady].
func (m *Manager) Start(ctx context.Context) error {
	m.change.Lock()
	defer m.change.Unlock()
	if m.closed {
		return ErrNotReady
	}
	conf, err := m.load(ctx)
	if err != nil {
		return fmt.Errorf("load the persistent subscriptions: %w", err)
	}
	life := context.WithoutCancel(ctx)
	m.mu.Lock()
	m.life, m.conf = life, conf
	m.mu.Unlock()
	for _, s := range conf.Entries {
		if err := m.launch(ctx, s); err != nil {
			m.stopAll()
			return fmt.Errorf("start the persistent subscription %s: %w", s.Key(), err)
		}
	}
	return nil
}

func (m *Manager) load(ctx context.Context) (config, error) {
	conf := config{Version: "2"}
	view, err := m.db.View(ctx, configStream)
	if err != nil || !view.Exists {
		return conf, err
	}
	for event, err := range view.Backward(ctx, domain.End) {
		if err == nil {
			err = json.Unmarshal(event.Data, &conf)
		}
		return conf, err
	}
	return conf, nil
}

// launch starts a group behind its checkpoint, or where it is to begin.
func (m *Manager) launch(ctx context.Context, s Settings) error {
	var filter *streamdb.Filter
	if s.Filter != nil {
		accepts, err := m.filter(*s.Filter)
		if err != nil {
			return err
		}
		filter = &streamdb.Filter{Accepts: accepts, Interval: max(1, s.Filter.Interval)}
	}
	after, found, err := loadCheckpoint(ctx, m.db, s)
	if errors.Is(err, errUnreadable) {
		m.logger.Error("a group begins again where it began: everything since is delivered again", "group", s.Key(), "error", err)
	} else if err != nil {
		return err
	}
	if !found {
		after = s.StartAfter
	}
	g := newGroup(m.life, m, s, filter, after, found)
	m.mu.Lock()
	m.groups[s.Key()] = g
	m.mu.Unlock()
	go g.run()
	return nil
}

// Stop ends every group and returns when the last has ended.
func (m *Manager) Stop() {
	m.change.Lock()
	defer m.change.Unlock()
	m.stopAll()
}

// Close ends every group for good: a restart under way fails.
func (m *Manager) Close() {
	m.change.Lock()
	defer m.change.Unlock()
	m.closed = true
	m.stopAll()
}

func (m *Manager) stopAll() {
	m.mu.Lock()
	stopping := m.groups
	m.groups, m.life = map[string]*Group{}, nil
	m.mu.Unlock()
	for _, g := range stopping {
		g.stop()
	}
	for _, g := range stopping {
		<-g.done
	}
}

// Restart ends every group, and so every consumer's connection, and starts them again.
func (m *Manager) Restart(ctx context.Context) error {
	m.Stop()
	return m.Start(ctx)
}

// Get returns a group at work, [ErrNotFound] or [ErrNotReady]. Get also compares the stream: names
// with colons can give two groups the same key, and a caller who may read one stream must not reach
// a group over another.
func (m *Manager) Get(stream, group string) (*Group, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.life == nil {
		return nil, ErrNotReady
	}
	g := m.groups[key(stream, group)]
	if g == nil || g.settings.Stream != stream {
		return nil, ErrNotFound
	}
	return g, nil
}

// List returns the groups over the stream, or all groups if the name is empty, in the order in
// which they were created.
func (m *Manager) List(stream string) ([]*Group, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.life == nil {
		return nil, ErrNotReady
	}
	var out []*Group
	for _, g := range m.groups {
		if stream == "" || g.settings.Stream == stream {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *Group) int { return m.entry(a.settings) - m.entry(b.settings) })
	return out, nil
}

// Create makes a new group and starts it. It returns [ErrExists], or what is wrong with the
// settings as an [*InvalidError]. Like [Manager.Update] and [Manager.Delete] it goes on when ctx
// ends: a caller that leaves in the middle must not leave half a group behind.
func (m *Manager) Create(ctx context.Context, s Settings, user string) error {
	ctx = context.WithoutCancel(ctx)
	m.change.Lock()
	defer m.change.Unlock()
	if _, err := m.Get(s.Stream, s.Group); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if m.entry(s) >= 0 { // the key counts: the group's own streams are named by it
		return ErrExists
	}
	if err := m.prepare(ctx, &s); err != nil {
		return err
	}
	if err := m.save(ctx, user, append(slices.Clone(m.conf.Entries), s)); err != nil {
		return err
	}
	return m.launch(ctx, s)
}

// entry returns the place of the group with the key of s in the configuration, or -1. One of
// the locks is held.
func (m *Manager) entry(s Settings) int {
	return slices.IndexFunc(m.conf.Entries, func(e Settings) bool { return e.Key() == s.Key() })
}

// InvalidError says what is wrong with a group's settings.
type InvalidError struct{ Err error }

// Error implements error.
func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *InvalidError) Unwrap() error { return e.Err }

// prepare checks the settings and finds out where the group begins.
func (m *Manager) prepare(ctx context.Context, s *Settings) error {
	if err := s.Validate(); err != nil {
		return &InvalidError{err}
	}
	if s.Filter != nil {
		if _, err := m.filter(*s.Filter); err != nil {
			return err
		}
	}
	switch {
	case s.Stream == All:
		return m.prepareAll(ctx, s)
	case s.StartFrom != FromEnd:
		s.StartAfter = s.StartFrom - 1
		return nil
	}
	last, err := m.db.LastNumber(ctx, s.Stream)
	s.StartAfter = last
	return err
}

// beyondEnd is the original's error for a group that is to begin past the log's end.
const beyondEnd = "Invalid Start From position: commit position must be less than or equal to the last commit position in the transaction file."

// prepareAll finds out where a group over all streams begins: before the record at its position.
func (m *Manager) prepareAll(ctx context.Context, s *Settings) error {
	if s.StartFrom == FromEnd {
		end, err := m.db.EndPosition(ctx)
		s.StartAfter = int64(end)
		return err
	}
	place, err := m.db.Locate(ctx, domain.Position(s.StartFrom))
	switch {
	case errors.Is(err, domain.ErrBadPosition):
		return &InvalidError{fmt.Errorf("no record stands at the position %d: give one that the server gave, or start or end", s.StartFrom)}
	case err == nil && place.Beyond:
		//lint:ignore ST1005 the words of a real server, which clients may compare
		return &InvalidError{errors.New(beyondEnd)}
	}
	s.StartAfter = int64(place.After)
	return err
}

// Update gives a group other settings; its filter stays. Its consumers are dropped and it
// goes on behind its checkpoint.
func (m *Manager) Update(ctx context.Context, s Settings, user string) error {
	ctx = context.WithoutCancel(ctx)
	m.change.Lock()
	defer m.change.Unlock()
	old, err := m.Get(s.Stream, s.Group)
	if err != nil {
		return err
	}
	s.Filter = old.settings.Filter
	if err := m.prepare(ctx, &s); err != nil {
		return err
	}
	entries := slices.Clone(m.conf.Entries)
	entries[m.entry(s)] = s
	if err := m.save(ctx, user, entries); err != nil {
		return err
	}
	old.stop()
	<-old.done
	return m.launch(ctx, s)
}

// Delete ends a group and forgets its checkpoint and what it parked.
func (m *Manager) Delete(ctx context.Context, stream, group, user string) error {
	ctx = context.WithoutCancel(ctx)
	m.change.Lock()
	defer m.change.Unlock()
	g, err := m.Get(stream, group)
	if err != nil {
		return err
	}
	entries := slices.DeleteFunc(slices.Clone(m.conf.Entries), func(e Settings) bool { return e.Key() == g.settings.Key() })
	if err := m.save(ctx, user, entries); err != nil {
		return err
	}
	m.mu.Lock()
	delete(m.groups, g.settings.Key())
	m.mu.Unlock()
	g.mu.Lock()
	g.deleted = true
	g.mu.Unlock()
	g.stop()
	<-g.done
	for _, s := range []string{checkpointStream(g.settings.Key()), parkedStream(g.settings.Key())} {
		_, err := m.db.Delete(ctx, s, domain.AnyRevision)
		if err != nil && !errors.Is(err, domain.ErrConflict) { // a conflict: it never was
			return fmt.Errorf("delete %s: %w", s, err)
		}
	}
	return nil
}

// save makes the configuration durable. The change lock is held.
func (m *Manager) save(ctx context.Context, user string, entries []Settings) error {
	conf := config{Version: "2", Updated: m.now().UTC(), UpdatedBy: user, Entries: entries}
	data, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	_, err = m.db.Append(ctx, configStream, domain.AnyRevision, []domain.NewEvent{{ID: uuid.New(), Type: configType, Data: data}})
	if err == nil {
		m.mu.Lock()
		m.conf = conf
		m.mu.Unlock()
	}
	return err
}
