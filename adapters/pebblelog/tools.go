//go:build tools

package pebblelog

// Pebble's error library asks for a version of genproto from before it was split into modules. A
// program that imports this package and grpc-gateway (cmd/program does) would find the same
// packages in two modules: `go mod tidy` calls that ambiguous. The version required by this import
// no longer has them.
import _ "google.golang.org/genproto/googleapis/type/date"
