package esdbserver_test

import (
	"context"
	"fmt"
	"net"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/atonehq/atone/adapters/esdbserver"
	"github.com/atonehq/atone/adapters/memlog"
)

// A log is served on a port, and any EventStoreDB client appends to it and reads it.
func Example() {
	server, err := esdbserver.New(esdbserver.Config{Log: memlog.New()})
	if err != nil {
		fmt.Println(err)
		return
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, lis) }()

	config, err := esdb.ParseConnectionString(fmt.Sprintf("esdb://%s?tls=false", lis.Addr()))
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Logger = esdb.NoopLogging()
	client, err := esdb.NewClient(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	order := esdb.EventData{EventType: "order.placed.v1", ContentType: esdb.ContentTypeJson, Data: []byte(`{"total":42}`)}
	appended, err := client.AppendToStream(ctx, "order-1", esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}, order)
	fmt.Println(appended.NextExpectedVersion, err)
	_, err = client.AppendToStream(ctx, "atone-1", esdb.AppendToStreamOptions{}, order)
	fmt.Println(err)

	stream, err := client.ReadStream(ctx, "$ce-order", esdb.ReadStreamOptions{ResolveLinkTos: true}, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := stream.Recv()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(event.Event.StreamID, event.Event.EventType, string(event.Event.Data))
	stream.Close()

	_ = client.Close()
	stop()
	fmt.Println(<-ended)
	// Output:
	// 0 <nil>
	// [ErrorCodeAccessDenied] the request requires the right ACL: rpc error: code = PermissionDenied desc = Access Denied: the stream atone-1 belongs to atone by the shape of its name (a name that begins with atone-): choose another name, or log in as a coordinator
	// order-1 order.placed.v1 {"total":42}
	// <nil>
}
