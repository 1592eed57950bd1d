package eventstoredb

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConfigReportsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	err := Config{AppendConnections: -1, AttemptTimeout: -1, RetryInitial: -1}.Validate()
	for _, word := range []string{"connection", "AppendConnections", "AttemptTimeout", "RetryInitial"} {
		require.ErrorContains(t, err, word)
	}
	require.NoError(t, Config{Connection: "esdb://localhost"}.Validate())
	_, err = Open(Config{})
	require.Error(t, err)
}

func TestConfigErrorsDoNotRepeatThePassword(t *testing.T) {
	t.Parallel()
	for _, connection := range []string{"http://admin:changeit@localhost", "esdb://admin:changeit@local host",
		"esdb://admin:changeit@a,b:x,c", "esdb://admin:changeit@localhost?tlsCaFile=/no/such/file"} {
		require.NotContains(t, Config{Connection: connection}.Validate().Error(), "changeit")
	}
	require.ErrorContains(t, Config{Connection: "esdb://admin:changeit@localhost?tlsCaFile=/no/such/file"}.Validate(), "/no/such/file")
}

func TestConfigTakesTheConnectionStringsDeadline(t *testing.T) {
	t.Parallel()
	require.Equal(t, 1500*time.Millisecond, open(t, "esdb://localhost?tls=false&defaultDeadline=1500").cfg.AttemptTimeout)
	require.Equal(t, DefaultAttemptTimeout, open(t, "esdb://localhost?tls=false").cfg.AttemptTimeout)
}
