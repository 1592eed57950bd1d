// Package brokertest holds the recipes of docs/brokers.md: how a coordinator and its workers are put
// over a broker. It is a module of its own, so that the brokers' clients are not dependencies of atone.
// Its tests run each recipe against the real broker.
package brokertest
