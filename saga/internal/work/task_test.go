package work

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// TestATimeOfThisProcessDoesNotLeaveIt: another process has another clock, and goes by the time
// that was left.
func TestATimeOfThisProcessDoesNotLeaveIt(t *testing.T) {
	t.Parallel()
	m, err := newMessage(t.Context(), "1", &Task{End: time.Now()})
	require.NoError(t, err)
	back, err := openMessage[Task](message.NewMessage("1", m.Payload))
	require.NoError(t, err)
	require.Zero(t, back.End)
}
