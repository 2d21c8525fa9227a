#!/usr/bin/env bash
# Opens the HTML report and the viewer of run files in a real browser: Debian's Chromium, driven by playwright-core, with axe-core for accessibility.
# Needs bash, Rust, node with npm and the package registries; installs Chromium with apt-get where it is missing. Leaves
# nothing behind but that. Screenshots go to the folder that is given as the first argument, if one is.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT

source "$here/../node.sh"
need_node "$place"
if ! command -v chromium >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi
npm install --loglevel=error --no-audit --no-fund --prefix "$place/node" playwright-core@1.64.1 axe-core@4.11.0
cp "$here"/*.mjs "$place/node"

cd "$here/../../.."
REHEARSAL_PAGES="$place/pages" cargo test --quiet --test html --test filled
cargo build --quiet
node "$place/node/check.mjs" "$place/pages" "${1:-}"
node "$place/node/view.mjs" "${CARGO_TARGET_DIR:-$PWD/target}/debug/rehearsal" "$PWD/suites" "${1:-}"
