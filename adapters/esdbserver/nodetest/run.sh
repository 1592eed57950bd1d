#!/bin/sh
# Runs the official Node client against adapters/esdbserver: installs it, builds the test
# server, starts it twice on free ports (plaintext, and TLS with users), runs the tests.
set -eu
cd "$(dirname "$0")"

npm ci --silent
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
go build -o "$dir/server" ./server

SERVER="$dir/server" SCRATCH="$dir" node --test --test-timeout=120000 test/
