package esdbserver_test

import (
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestNamesWithControlCharactersDoNotHideTheReason(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, conn := n.client(), n.raw()
	for name, told := range map[string]string{
		"plain 50%": "plain 50%",
		"Straße-1":  "Straße-1",
		"a\nb":      "a%0Ab",
		"50%\x00":   "50%25%00",
	} {
		_, err := client.AppendToStream(within(t), name, esdb.AppendToStreamOptions{}, batch(1, "T")...)
		require.NoError(t, err)
		_, err = client.TombstoneStream(within(t), name, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
		require.NoError(t, err)
		_, trailers, err := appendRaw(t, conn, appendOptions(name), proposal(nil))
		require.Equal(t, codes.FailedPrecondition, status.Code(err), "%q: %v", name, err)
		require.Equal(t, []string{"stream-deleted"}, trailers.Get("exception"))
		require.Equal(t, []string{told}, trailers.Get("stream-name"))
	}
}

func TestNamesThatAreTooLongAreRefused(t *testing.T) {
	t.Parallel()
	n := start(t)
	client, conn := n.client(), n.raw()
	longest := strings.Repeat("x", 4094)
	_, err := client.AppendToStream(within(t), longest, esdb.AppendToStreamOptions{}, batch(1, "T")...)
	require.NoError(t, err)
	var meta esdb.StreamMetadata
	meta.SetMaxCount(1)
	_, err = client.SetStreamMetadata(within(t), longest, esdb.AppendToStreamOptions{}, meta)
	require.NoError(t, err, "the longest name has metadata, too")

	_, _, err = appendRaw(t, conn, appendOptions(longest+"x"), proposal(nil))
	require.Equal(t, codes.InvalidArgument, status.Code(err), "%v", err)
	read, err := client.ReadStream(within(t), longest+"x", esdb.ReadStreamOptions{}, 1)
	require.NoError(t, err)
	defer read.Close()
	_, err = read.Recv()
	require.Equal(t, esdb.ErrorCodeResourceNotFound, code(t, err), "nothing can have that name")
	err = client.CreatePersistentSubscription(within(t), "s", longest, esdb.PersistentStreamSubscriptionOptions{})
	require.ErrorContains(t, err, "at most 4094 bytes")
}
