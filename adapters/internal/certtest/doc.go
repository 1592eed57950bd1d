// Package certtest makes certificates for servers that tests start.
//
// It owns a certificate for this machine and its files. It knows nothing of any server.
//
// Files, in reading order:
//
//   - certificate.go: making one
package certtest
