"""Holds what rehearsal reports of real agents against what the stand-in for their APIs has seen.

Usage: check.py API_LOG SUMMARY...   (a summary is a report as JSON)
Every trial passes, its calls are those that the stand-in asked for, and the tokens are those that it counted.
"""

import json
import sys

# The stand-in's count for one call of each API: tokens read, cached ones included, and written.
APIS = {
    "/v1/messages": ("claude-code-agent", 115, 20),
    "/v1/responses": ("codex-local", 100, 20),
    ":streamGenerateContent": ("gemini-agent", 100, 20),
}


def main(log, *summaries):
    wrong = []
    seen, told = {}, {}
    for line in open(log):
        for end, (model, read, written) in APIS.items():
            if line.rstrip().endswith(end):
                was = seen.get(model, (0, 0))
                seen[model] = (was[0] + read, was[1] + written)
    for path in summaries:
        for case in json.load(open(path))["cases"]:
            for trial in case["trials"]:
                place = f"{path}: {case['id']} with {case['model']}"
                if trial["outcome"] != "pass":
                    wrong.append(f"{place}: {trial['outcome']}")
                # With a second prompt only Gemini CLI's stand-in asks for the tool again.
                again = case["id"] == "two-prompts" and case["model"] == "gemini-agent"
                if trial["tool_calls"] != ["get_order"] * (2 if again else 1):
                    wrong.append(f"{place}: calls {trial['tool_calls']}")
                was = told.get(case["model"], (0, 0))
                tokens = trial["tokens"]
                told[case["model"]] = (was[0] + tokens["in"], was[1] + tokens["out"])
    if not told or told != seen:
        wrong.append(f"tokens reported are {told}, the stand-in counted {seen}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
