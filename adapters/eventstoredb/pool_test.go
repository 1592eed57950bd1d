package eventstoredb

import (
	"testing"

	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"

	"github.com/atonehq/atone/domain"
)

// A server serves about 100 calls at once on a connection; readers that read within
// reading would wait for each other there.
func TestManyReadersAtOnceDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	f, ctx := newFakeServer(t), contextFor(t)
	f.hook(func(f *fakeServer) {
		f.onRead = func(_ *api.ReadReq, call api.Streams_ReadServer) (bool, error) {
			err := call.Send(sendEvent(domain.Recorded{NewEvent: event(`1`), Stream: "s", Position: 1}))
			<-call.Context().Done() // the reader is slow to go on: the call stays open
			return true, err
		}
	})
	log := open(t, f.connection())
	depth := 0
	var nested func()
	nested = func() {
		if depth++; depth > 250 {
			return
		}
		for _, err := range log.ReadStream(ctx, "s", 0) {
			require.NoError(t, err)
			nested()
			break
		}
	}
	nested()
	require.Greater(t, depth, 250)
}
