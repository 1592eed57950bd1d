package eventstoredb

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	api "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"github.com/atonehq/atone/domain"
)

// BenchmarkAppend measures what this side of the wire can do: 16 callers append one
// event at a time to a server that does nothing, through the bare client and through Log.
func BenchmarkAppend(b *testing.B) {
	f := newFakeServer(b)
	f.hook(func(f *fakeServer) {
		f.onAppend = func(call api.Streams_AppendServer) error {
			for {
				if _, err := call.Recv(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return err
				}
			}
			err := call.SendMsg(&api.AppendResp{Result: &api.AppendResp_Success_{Success: &api.AppendResp_Success{
				CurrentRevisionOption: &api.AppendResp_Success_CurrentRevision{CurrentRevision: 1},
				PositionOption:        &api.AppendResp_Success_Position{Position: &api.AppendResp_Position{CommitPosition: 1}}}}})
			return errors.Join(err, errAnswered)
		}
	})
	data := make([]byte, 280)
	ctx := context.Background()
	client := bare(b, f.connection())
	defer client.Close()
	log := open(b, f.connection())
	for name, appendOne := range map[string]func() error{
		"client": func() error {
			_, err := client.AppendToStream(ctx, "s", esdb.AppendToStreamOptions{ExpectedRevision: esdb.Revision(0)},
				esdb.EventData{EventID: uuid.New(), EventType: "t", Data: data})
			return err
		},
		"log": func() error {
			_, err := log.Append(ctx, "s", 0, domain.NewEvent{ID: uuid.New(), Type: "t", Data: data, Binary: true})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			work := make(chan struct{}, 1024)
			var callers sync.WaitGroup
			for range 16 {
				callers.Go(func() {
					for range work {
						if err := appendOne(); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				work <- struct{}{}
			}
			close(work)
			callers.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}
