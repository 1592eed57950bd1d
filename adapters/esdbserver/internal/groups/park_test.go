package groups_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/adapters/esdbserver/internal/groups"
	"github.com/atonehq/atone/adapters/esdbserver/internal/streamdb"
	"github.com/atonehq/atone/domain"
)

// A consumer's reason must not make the links of a group too large for the log: the group would
// try to park them for ever.
func TestMessagesAreParkedWhateverTheReason(t *testing.T) {
	for name, reason := range map[string]string{
		"longer than an append": strings.Repeat("r", 2<<20),
		"long, many of them":    strings.Repeat("r", 20_000),
		"grown by its encoding": strings.Repeat("\x01", 20_000),
		"cut within a rune":     strings.Repeat("ß", 20_000) + "r",
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				const n = 120
				w.write("s", 1, n)
				c := w.connect(w.create(settings(func(s *groups.Settings) { s.HistoryBufferSize = 2 * n })), n)
				c.Nack(ids(got(c)...), groups.Park, reason)
				require.Len(t, w.parked(), n)
			})
		})
	}
}

// What a link that leads nowhere says is kept, unless it is so long that it can be no link.
func TestLinksThatLeadNowhereAreParked(t *testing.T) {
	inWorld(t, func(w *world) {
		garbage := strings.Repeat("9", 600_000)
		for _, data := range []string{garbage, garbage, "7@nowhere"} {
			link := domain.NewEvent{ID: uuid.New(), Type: streamdb.TypeLink, Data: []byte(data)}
			_, err := w.Append(w.ctx, "s", domain.AnyRevision, []domain.NewEvent{link})
			require.NoError(t, err)
		}
		c := w.connect(w.create(settings(func(s *groups.Settings) { s.ResolveLinks = true })), 3)
		for range 3 {
			c.Nack([]uuid.UUID{(<-c.Deliveries).Event.Original().ID}, groups.Park, "no such event")
		}
		require.Equal(t, []string{"0@s", "1@s", "7@nowhere"}, w.parked())
	})
}
