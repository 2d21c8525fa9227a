#!/bin/sh
# Writes a throw-away project with N cases for measurements against local stand-ins:
#   benches/project.sh FOLDER N MODEL_URL JUDGE_URL TARGET_URL
# Case i asks the model to add i and i + 1000 with the tool `add`; one model call is answered with a tool call, one with
# text, and one judge call follows.
set -eu
folder=$1 cases=$2 model=$3 judge=$4 target=$5
mkdir -p "$folder/suites" "$folder/evals/models"
echo "{dialect: openai, id: mock-1, base_url: '$model', price: {input: 0, output: 0}}" > "$folder/evals/models/mock.yaml"
echo "{dialect: openai, id: judge-1, base_url: '$judge', price: {input: 0, output: 0}}" > "$folder/evals/models/double.yaml"
{
    cat <<END
version: 1
target: {url: "$target"}
personas: [anonymous]
models: [mock]
judge: {model: double, rubric: answers-question}
defaults: {persona: anonymous}
cases:
END
    awk -v n="$cases" 'BEGIN {
        for (i = 1; i <= n; i++) {
            printf "  - id: case-%06d\n", i
            printf "    prompt: \"case-%06d: use the add tool to add %d and %d, then report the sum.\"\n", i, i, i + 1000
            printf "    expect:\n      - tool_called: add\n      - answer_contains: \"%d\"\n", 2 * i + 1000
            printf "    criteria:\n      - must: The answer reports the sum that the tool returned.\n"
        }
    }'
} > "$folder/suites/load.yaml"
