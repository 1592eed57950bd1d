// Command atone is the command line of atone: the coordinator as a server, and commands that start,
// show and steer runs.
package main

import (
	"github.com/atonehq/atone/cmd/bench"
	"github.com/atonehq/atone/cmd/demo"
	"github.com/atonehq/atone/cmd/program"
	"github.com/atonehq/atone/saga"
	"github.com/atonehq/atone/saga/explore"
)

func main() {
	bench.MaybeChild()
	program.Main(program.App{
		Name:         "atone",
		Short:        "Sagas that end in one of two ways: everything done, or everything undone",
		Sagas:        []saga.AnySaga{order, approval, demo.Refund},
		Actions:      []saga.AnyAction{hello},
		Samples:      true,
		Explorations: []*explore.Exploration{exploration},
		Commands:     append(demo.Commands(), bench.Command()),
	})
}
