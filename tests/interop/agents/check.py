"""Holds what rehearsal reports of real agents against what the stand-in for their APIs has seen.

Usage: check.py API_LOG SUMMARY...   (a summary is a report as JSON)
Every trial passes, with the calls that the stand-in asked for and the tokens of the calls that such a trial takes.
An agent that asks again, as they do when an answer is slow, counts one of the two: the stand-in may have seen more calls
than are reported, never fewer.
"""

import json
import sys

# The stand-in's count for one call of each API: tokens read, cached ones included, and written.
APIS = {
    "claude-code-agent": ("/v1/messages", 115, 20),
    "codex-local": ("/v1/responses", 100, 20),
    "gemini-agent": (":streamGenerateContent", 100, 20),
}


def expected(case, model):
    """The tools called in one trial, and the calls of the model: one for each tool, and one for each prompt's answer."""
    if case == "one-prompt":
        return ["get_order"], 2
    # With a second prompt only Gemini CLI's stand-in asks for the tool again.
    return (["get_order"] * 2, 4) if model == "gemini-agent" else (["get_order"], 3)


def main(log, *summaries):
    wrong = []
    lines = [line.rstrip() for line in open(log)]
    seen = {model: sum(line.endswith(end) for line in lines) for model, (end, _, _) in APIS.items()}
    told = dict.fromkeys(APIS, 0)
    for path in summaries:
        for case in json.load(open(path))["cases"]:
            for trial in case["trials"]:
                model = case["model"]
                place = f"{path}: {case['id']} with {model}, trial {trial['trial']}"
                tools, calls = expected(case["id"], model)
                if trial["outcome"] != "pass":
                    wrong.append(f"{place}: {trial['outcome']}, {trial['fault']}, {trial['findings']}")
                if trial["tool_calls"] != tools:
                    wrong.append(f"{place}: called {trial['tool_calls']}, not {tools}")
                _, read, written = APIS[model]
                counted = trial["tokens"]["in"] // read
                told[model] += counted
                if trial["tokens"] != {"in": counted * read, "out": counted * written} or counted < calls:
                    wrong.append(f"{place}: {trial['tokens']} are not the tokens of {calls} calls or more")
    for model, calls in told.items():
        if not calls or calls > seen[model]:
            wrong.append(f"{model}: tokens of {calls} calls are reported, the stand-in has seen {seen[model]}")
        elif calls < seen[model]:
            print(f"{model}: {seen[model]} calls were made, of which it counted {calls}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
