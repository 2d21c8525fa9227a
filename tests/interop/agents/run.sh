#!/bin/sh
# Real agents against the demo server, with a stand-in for their model APIs: no key, no network but the npm registry.
# Usage: tests/interop/agents/run.sh [PROGRAM]   (default: target/debug/rehearsal)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=${1:-$here/../../../target/debug/rehearsal}
place=$(mktemp -d)
api=
trap 'test -z "$api" || kill "$api" 2>/dev/null; rm -rf "$place"' EXIT INT TERM

npm install --silent --no-audit --no-fund --prefix "$place/npm" \
  @anthropic-ai/claude-code@2.1.197 @openai/codex@0.169.0 @google/gemini-cli@0.61.0
PATH=$place/npm/node_modules/.bin:$PATH
export PATH

python3 "$here/models.py" > "$place/port" 2> "$place/api.log" &
api=$!
while ! test -s "$place/port"; do sleep 0.1; done
url=http://127.0.0.1:$(cat "$place/port")

mkdir -p "$place/suites" "$place/evals/models"
# Codex takes the address of another API from its configuration only.
sed "s|check_for_update_on_startup = false|check_for_update_on_startup = false\n        model_provider = \"local\"\n        [model_providers.local]\n        name = \"local\"\n        base_url = \"$url/v1\"\n        env_key = \"CODEX_API_KEY\"\n        wire_api = \"responses\"|" \
  "$here/../../../evals/models/codex-agent.yaml" > "$place/evals/models/codex-local.yaml"
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
cat > "$place/suites/http.yaml" <<SUITE
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
cat > "$place/suites/stdio.yaml" <<SUITE
version: 1
target: {command: [rehearsal, demo-server, --transport, stdio, --open]}
personas: [anonymous]
models: [claude-code-agent, codex-local, gemini-agent]
$cases
SUITE

cd "$place"
ANTHROPIC_API_KEY=sk-ant-stand-in-0123456789 ANTHROPIC_BASE_URL=$url \
CODEX_API_KEY=sk-stand-in-0123456789 \
GEMINI_API_KEY=stand-in-0123456789 GOOGLE_GEMINI_BASE_URL=$url \
  "$program" eval http stdio --allow-exec --concurrency 3
