#!/usr/bin/env bash
# Installs MCP servers and imitations of model APIs that nobody here wrote, at fixed versions in a temporary folder,
# and runs tests/interop.rs against them. Needs bash, Rust and the package registries; node, npm and Python with venv
# are installed with apt-get where they are missing. Besides those and the caches of npm and pip it leaves nothing.
set -euo pipefail

everything="@modelcontextprotocol/server-everything@2026.8.31"
aimock="@copilotkit/aimock@1.43.0"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="$(mktemp -d)"
tidy() {
  jobs -p | xargs -r kill 2>/dev/null || true
  rm -rf "$place"
}
trap tidy EXIT

packages=()
command -v npm >/dev/null || packages+=(nodejs npm)
command -v python3 >/dev/null || packages+=(python3)
python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
if ((${#packages[@]})); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}" >/dev/null
fi

# One virtual environment for each list: they do not agree on versions.
python() {
  python3 -m venv "$place/$1"
  "$place/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$1/requirements.txt"
}

echo "installing into a temporary folder"
npm install --silent --no-audit --no-fund --prefix "$place/node" "$everything" "$aimock" &
node=$!
python servers &
servers=$!
python models &
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
