#!/usr/bin/env bash
# Installs MCP servers and imitations of model APIs that nobody here wrote, at fixed versions in a temporary folder,
# and runs tests/interop.rs against them, then the official conformance suite against the client (conformance.sh),
# the report formats against what reads them (formats/run.sh) and real agents (agents/run.sh). Needs
# bash, Rust and the package registries. Where Python with venv is missing,
# apt-get installs it; where node is missing or old, PyPI has one. Besides Python and the caches of npm and pip nothing
# is left behind.
set -euo pipefail

everything="@modelcontextprotocol/server-everything@2026.8.31"
aimock="@copilotkit/aimock@1.43.0"
provider="oidc-provider@9.13.3"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="$(mktemp -d)"
tidy() {
  jobs -p | xargs -r kill 2>/dev/null || true
  rm -rf "$place"
}
trap tidy EXIT

source "$here/node.sh"
need_python
need_node "$place"

# One virtual environment for each list: they do not agree on versions.
environment() {
  python3 -m venv "$place/$1"
  "$place/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$1/requirements.txt"
}

echo "installing into a temporary folder"
npm install --loglevel=error --no-audit --no-fund --prefix "$place/node" "$everything" "$aimock" "$provider" &
node=$!
environment servers &
servers=$!
environment models &
models=$!
wait "$node"
wait "$servers"
wait "$models"

export REHEARSAL_INTEROP=1
export REHEARSAL_INTEROP_NODE="$place/node/node_modules/.bin"
export REHEARSAL_INTEROP_PYTHON="$place/servers/bin"
export REHEARSAL_INTEROP_MODELS="$place/models/bin"
cd "$here/../.."
cargo test --test interop "$@"
bash "$here/conformance.sh" "$place"
bash "$here/browser/run.sh"
bash "$here/formats/run.sh" "$place"
bash "$here/agents/run.sh" "$place"

# Nothing that was installed may still run.
left="$(grep -lsF -f <(echo "$place") /proc/[0-9]*/cmdline || true)"
if [[ -n "$left" ]]; then
  echo "still running: $left" >&2
  exit 1
fi
