package program_test

import (
	"context"
	"fmt"
	"os"

	"github.com/atonehq/atone/cmd/program"
	"github.com/atonehq/atone/saga"
)

// A program's main is program.Main with its sagas; Run is the same with arguments and streams of
// one's own, as tests have.
func ExampleRun() {
	greet := &saga.Action[string, string]{
		Name:   "greet",
		Effect: saga.NoEffect,
		Do:     func(_ context.Context, name string) (string, error) { return "Hello, " + name, nil },
	}
	app := program.App{Name: "greeter", Actions: []saga.AnyAction{greet}}
	data, err := os.MkdirTemp("", "greeter-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)

	code := program.Run(context.Background(), app, []string{"invoke", "greet", "-d", `"Ada"`, "--quiet", "--data", data},
		program.Streams{Out: os.Stdout, Err: os.Stdout})
	fmt.Println("exit code", code)
	// Output:
	// "Hello, Ada"
	// exit code 0
}
