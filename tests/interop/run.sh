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

missing() { ! "$@" >/dev/null 2>&1; }
install() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}
missing node --version && install nodejs
# Some packages of node bring npm along and refuse another one beside it.
missing npm --version && install npm
missing python3 -c 'import venv, ensurepip' && install python3 python3-venv

# aimock wants node 20; where it is older, a newer one comes as a package.
newer=()
(($(node --version | tr -d v | cut -d. -f1) >= 20)) || newer=("node@20.20.2")

# One virtual environment for each list: they do not agree on versions.
python() {
  python3 -m venv "$place/$1"
  "$place/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$1/requirements.txt"
}

echo "installing into a temporary folder"
npm install --silent --no-audit --no-fund --prefix "$place/node" "$everything" "$aimock" ${newer[@]+"${newer[@]}"} &
node=$!
python servers &
servers=$!
python models &
models=$!
wait "$node"
wait "$servers"
wait "$models"
export PATH="$place/node/node_modules/.bin:$PATH"

export REHEARSAL_INTEROP=1
export REHEARSAL_INTEROP_NODE="$place/node/node_modules/.bin"
export REHEARSAL_INTEROP_PYTHON="$place/servers/bin"
export REHEARSAL_INTEROP_MODELS="$place/models/bin"
cd "$here/../.."
cargo test --test interop "$@"

# Nothing that was installed may still run.
if left="$(grep -lsF -f <(echo "$place") /proc/[0-9]*/cmdline)"; then
  echo "still running: $left" >&2
  exit 1
fi
