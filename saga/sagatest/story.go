package sagatest

import (
	"context"
	"strings"

	"github.com/atonehq/atone/domain"
	"github.com/atonehq/atone/projections/story"
)

// Story returns what happened in a run, one line an event, as the audit tells it. Secrets are
// hidden.
func (k *Kit) Story(run domain.RunID) string { return storyOf(k.inner, run) }

func storyOf(log domain.Log, run domain.RunID) string {
	s, err := story.Tell(context.Background(), log, run)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	if err := s.Write(&b, story.FormatText, nil); err != nil {
		return err.Error()
	}
	return b.String()
}

// stories tells of every run.
func (k *Kit) stories() string {
	k.mu.Lock()
	order := append([]domain.RunID(nil), k.order...)
	k.mu.Unlock()
	var b strings.Builder
	for _, run := range order {
		b.WriteString(k.Story(run))
	}
	return b.String()
}
