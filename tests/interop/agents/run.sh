#!/usr/bin/env bash
# Runs real agents against the demo server, with a stand-in for their model APIs: no key, and no network but the registries.
# Every trial has to pass, with the calls and the tokens that the stand-in has counted, and no key may be in what is kept.
# Needs bash, Rust, Python and the package registries; node is installed where it is missing or old.
#
#   tests/interop/agents/run.sh [folder]    installs into the folder, or into a temporary one
set -euo pipefail

agents=("@anthropic-ai/claude-code@2.1.197" "@openai/codex@0.169.0" "@google/gemini-cli@0.61.0")

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="${1:-}"
own=
if [[ -z "$place" ]]; then
  place="$(mktemp -d)"
  own="$place"
fi
api=
tidy() {
  [[ -z "$api" ]] || kill "$api" 2>/dev/null || true
  [[ -z "$own" ]] || rm -rf "$own"
}
trap tidy EXIT
trap 'echo "agents: line $LINENO failed: $BASH_COMMAND"' ERR
place="$place/agents"
mkdir -p "$place/suites" "$place/evals/models"

source "$here/../node.sh"
need_python
need_node "$place"
[[ -d "$place/node_modules" ]] || npm install --loglevel=error --no-audit --no-fund --prefix "$place" "${agents[@]}"
export PATH="$place/node_modules/.bin:$PATH"

cd "$here/../../.."
cargo build --quiet
program="$(cargo metadata --format-version 1 --no-deps | python3 -c '
import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/rehearsal"

: >"$place/port"
python3 "$here/models.py" >"$place/port" 2>"$place/api.log" &
api=$!
for _ in $(seq 100); do
  [[ -s "$place/port" ]] && break
  sleep 0.1
done
port="$(cat "$place/port")"
[[ -n "$port" ]] || { echo "the stand-in for the model APIs has not begun" >&2; exit 1; }
url="http://127.0.0.1:$port"

# Codex takes the address of another API from its configuration only.
sed "s|check_for_update_on_startup = false|check_for_update_on_startup = false\n        model_provider = \"local\"\n        [model_providers.local]\n        name = \"local\"\n        base_url = \"$url/v1\"\n        env_key = \"CODEX_API_KEY\"\n        wire_api = \"responses\"|" \
  evals/models/codex-agent.yaml >"$place/evals/models/codex-local.yaml"
cases='
trials: 1
defaults: {limits: {turns: 6, tool_calls: 8, time: 2m}}
cases:
  - id: one-prompt
    prompt: My order 1042 has not come. When will it arrive?
    expect: [{tool_called: {name: get_order, args: {id: 1042}}}, {answer_matches: "2026-11-28|28 November"}]
  - id: two-prompts
    turns: [{user: My order 1042 has not come. When will it arrive?}, {user: Once more please.}]
    expect: [{tool_called: {name: get_order, args: {id: 1042}}}, {answer_matches: "2026-11-28|28 November"}]'
cat >"$place/suites/http.yaml" <<SUITE
version: 1
target:
  command: [rehearsal, demo-server, --transport, http]
  transport: http
  isolation: run
  env: {BOOKSHOP_ISSUER: "\${issuer.url}", BOOKSHOP_AUDIENCE: "\${target.url}"}
auth: {issuer: embedded}
personas: [customer]
models: [claude-code-agent, codex-local]
$cases
SUITE
cat >"$place/suites/stdio.yaml" <<SUITE
version: 1
target: {command: [rehearsal, demo-server, --transport, stdio, --open]}
personas: [anonymous]
models: [claude-code-agent, codex-local, gemini-agent]
$cases
SUITE

cd "$place"
rm -rf reports
key=stand-in-key-0123456789
ANTHROPIC_API_KEY="sk-ant-$key" ANTHROPIC_BASE_URL="$url" CODEX_API_KEY="sk-$key" \
  GEMINI_API_KEY="$key" GOOGLE_GEMINI_BASE_URL="$url" \
  "$program" eval http stdio --allow-exec --concurrency 3 --quiet

summaries=()
for run in reports/runs/*/*.sqlite; do
  "$program" report "$run" --format json --to "$run.json"
  "$program" report "$run" --format jsonl --to "$run.jsonl"
  for case in one-prompt two-prompts; do
    "$program" show "$run" "$case" --verbose >"$run.$case.txt"
  done
  summaries+=("$run.json")
done
if grep -rlF "$key" reports evals suites; then
  echo "these files hold a key" >&2
  exit 1
fi
python3 "$here/check.py" "$place/api.log" "${summaries[@]}"
echo "agents: every trial passed, with the calls and tokens that the stand-in asked for and counted"
