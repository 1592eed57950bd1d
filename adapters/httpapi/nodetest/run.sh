#!/bin/sh
# Checks the OpenAPI document with Spectral and Redocly, and compiles the TypeScript types that
# openapi-typescript makes from it. The test writes the document and calls the tools.
set -eu
cd "$(dirname "$0")"

npm ci --silent --no-audit --no-fund
ATONE_NODE=must go test -count=1 -run TestTheToolsOfOthersTakeTheDocument ..
