package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/atonehq/atone/cmd/demo"
)

func main() {
	root := &cobra.Command{Use: "atone"}
	root.AddCommand(demo.Commands()...)
	if root.ExecuteContext(context.Background()) != nil {
		os.Exit(1)
	}
}
