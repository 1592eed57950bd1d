package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"

	"github.com/atonehq/atone/adapters/httpapi"
	"github.com/atonehq/atone/adapters/httpapi/client"
	"github.com/atonehq/atone/adapters/memlog"
	"github.com/atonehq/atone/adapters/sqlite"
	"github.com/atonehq/atone/projections/runner"
	"github.com/atonehq/atone/projections/views"
	"github.com/atonehq/atone/saga"
)

// A program that has the saga's definition calls a server as it would call the library.
func Example() {
	greet := &saga.Action[string, string]{Name: "greet", Effect: saga.NoEffect,
		Do: func(_ context.Context, name string) (string, error) {
			if name == "" {
				return "", saga.Permanent(errors.New("nobody to greet"))
			}
			return "Hello, " + name + "!", nil
		}}
	hello := saga.Define("hello", 1, func(f *saga.Flow, name saga.Ref[string]) saga.Ref[string] {
		return saga.Do(f, greet, name.In)
	})
	server, stop := exampleServer(hello)
	defer stop()

	ctx := context.Background()
	c, err := client.New(client.Config{Server: server})
	if err != nil {
		panic(err)
	}
	run, err := client.Start(ctx, c, hello, "Ann", client.Key("ann"))
	if err != nil {
		panic(err)
	}
	fmt.Println(run.Wait(ctx))

	run, err = client.Start(ctx, c, hello, "")
	if err != nil {
		panic(err)
	}
	_, err = run.Wait(ctx)
	var undone *saga.CompensatedError
	fmt.Println(errors.As(err, &undone), undone.Cause.Message)
	// Output:
	// Hello, Ann! <nil>
	// true nobody to greet
}

// exampleServer serves the saga until stop is called.
func exampleServer(s saga.AnySaga) (url string, stop func()) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	quiet, log := slog.New(slog.DiscardHandler), memlog.New()
	c, err := saga.New(saga.Config{Log: log, Logger: quiet})
	must(err)
	must(c.Register(s))
	dir, err := os.MkdirTemp("", "atone-example")
	must(err)
	store, err := sqlite.Open(sqlite.Config{Dir: dir})
	must(err)
	runner, err := runner.New(runner.Config{Source: log, Store: store, Logger: quiet, Views: views.All()})
	must(err)
	api, err := httpapi.New(httpapi.Config{Coordinator: c, Views: views.Of(runner.Reader()), Projections: runner, Log: log, Logger: quiet})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- c.Run(ctx) }()
	go func() { ended <- runner.Run(ctx) }()
	<-c.Ready()
	hs := httptest.NewServer(api)
	return hs.URL, func() {
		hs.CloseClientConnections()
		hs.Close()
		cancel()
		must(errors.Join(<-ended, <-ended, store.Close(), log.Close(), os.RemoveAll(dir)))
	}
}
