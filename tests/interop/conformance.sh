#!/usr/bin/env bash
# Runs the official conformance suite against this client: every scenario that a revision requires, the extensions, and
# what a client must still do for servers of 2025-03-26. Prints a table and fails on anything that is neither passed nor
# listed in conformance.expected-failures.yml, which is empty.
#
#   tests/interop/conformance.sh [folder]    installs into the folder, or into a temporary one
#   tests/interop/conformance.sh --markdown  prints the table of docs/conformance.md
set -euo pipefail

suite="@modelcontextprotocol/conformance@0.2.0-alpha.12"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
format=text
if [[ "${1:-}" == --markdown ]]; then
  format=markdown
  shift
fi
place="${1:-}"
if [[ -z "$place" ]]; then
  place="$(mktemp -d)"
  trap 'rm -rf "$place"' EXIT
fi

source "$here/node.sh"
need_node "$place"
[[ -d "$place/conformance/node_modules" ]] ||
  npm install --loglevel=error --no-audit --no-fund --prefix "$place/conformance" "$suite"

cd "$here/../.."
cargo build --quiet --example conformance_client
client="$(cargo metadata --format-version 1 --no-deps | node -e '
  process.stdin.toArray().then((parts) => console.log(JSON.parse(Buffer.concat(parts)).target_directory))
')/debug/examples/conformance_client"

results="$(mktemp -d "$place/results.XXXXXX")"
run() {
  local name="$1"
  shift
  local code=0
  node "$place/conformance/node_modules/.bin/conformance" client --command "$client" --timeout 120000 \
    --output-dir "$results/$name" "$@" >"$results/$name.out" 2>"$results/$name.err" || code=$?
  echo "$code" >"$results/$name.exit"
}
run 2025-11-25 --requirements 2025-11-25
run 2026-07-28 --requirements 2026-07-28
run 2025-03-26 --suite backcompat --spec-version 2025-03-26

node "$here/conformance.mjs" "$format" "$results" "$place/conformance/node_modules/@modelcontextprotocol/conformance" \
  "$here/conformance.expected-failures.yml"
