package console

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// ParseRun reads a run's id, or SAGA:KEY for a run that was started with a key.
func ParseRun(s string) (domain.RunID, error) {
	if id, err := uuid.Parse(s); err == nil && len(s) == 36 {
		return id, nil
	}
	if name, key, ok := strings.Cut(s, ":"); ok && name != "" && key != "" {
		return domain.RunIDForKey(name, key), nil
	}
	return domain.RunID{}, UsageError{fmt.Errorf("%q is no run: give its id, or SAGA:KEY", s)}
}
