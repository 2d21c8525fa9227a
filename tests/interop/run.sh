#!/usr/bin/env bash
# Installs two public MCP servers, built on the TypeScript and the Python SDK, in a temporary folder and runs
# tests/interop.rs against them. Needs bash, npm, python3 and the package registries; leaves nothing behind.
set -euo pipefail

everything="@modelcontextprotocol/server-everything@2026.8.31"
time="mcp-server-time==2026.10.19"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT

npm install --silent --no-audit --no-fund --prefix "$place/node" "$everything"
python3 -m venv "$place/python"
"$place/python/bin/pip" install --quiet --disable-pip-version-check "$time"

export REHEARSAL_INTEROP=1
export REHEARSAL_INTEROP_EVERYTHING="$place/node/node_modules/.bin/mcp-server-everything"
export REHEARSAL_INTEROP_TIME="$place/python/bin/mcp-server-time --local-timezone UTC"
cd "$root"
cargo test --test interop "$@"
