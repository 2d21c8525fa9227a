"""Gives the report formats of one run to the libraries and schemas of those who read them.

    check.py FOLDER XSD NODE_MODULES    everything that Python reads
    check.py --converted FOLDER         what the node tools have made of the files
"""

import base64
import csv
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def junit(folder: Path, summary: dict, xsd: Path) -> None:
    """The schema of Jenkins' xunit plugin, without what readers add to it: places and properties of test cases, times of
    reruns, and how many test cases of the whole report were skipped."""
    import xmlschema
    from junitparser import JUnitXml

    tree = ET.parse(folder / "junit.xml")
    for case in tree.iter("testcase"):
        for extra in ("file", "line"):
            assert case.attrib.pop(extra)
        for properties in case.findall("properties"):
            case.remove(properties)
    for name in ("flakyFailure", "flakyError", "rerunFailure", "rerunError"):
        for rerun in tree.iter(name):
            rerun.attrib.pop("time", None)
    tree.getroot().attrib.pop("skipped")
    xmlschema.XMLSchema(str(xsd)).validate(tree)

    states = [case["state"] for case in summary["cases"]]
    count = lambda *wanted: sum(state in wanted for state in states)
    read = JUnitXml.fromfile(str(folder / "junit.xml"))
    suites = list(read)
    assert sum(len(suite) for suite in suites) == len(states)
    assert read.failures == count("fail", "security", "unexpected-pass"), read.failures
    assert read.errors == count("undecided", "invalid"), read.errors
    assert read.skipped == count("expected-failure", "missing", "skipped"), read.skipped


def sarif(folder: Path, node: Path) -> None:
    import jsonschema
    from sarif import loader

    log = json.loads((folder / "findings.sarif").read_text())
    schema = json.loads((node / "@microsoft/sarif-multitool-linux/sarif-2.1.0.json").read_text(encoding="utf-8-sig"))
    jsonschema.validators.validator_for(schema)(schema).validate(log)
    read = loader.load_sarif_file(str(folder / "findings.sarif"))
    assert read.get_result_count() == len(log["runs"][0]["results"]) > 0


def codequality(folder: Path) -> None:
    """What GitLab documents: these fields, these severities, fingerprints that are not used twice."""
    found = json.loads((folder / "codequality.json").read_text())
    assert found and len({one["fingerprint"] for one in found}) == len(found)
    for one in found:
        assert {"description", "check_name", "fingerprint", "severity", "location"} <= one.keys()
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert isinstance(one["location"]["path"], str) and one["location"]["lines"]["begin"] >= 1


def badge(folder: Path) -> None:
    """What shields.io documents of endpoint badges; it refuses keys that it does not know."""
    read = json.loads((folder / "badge.json").read_text())
    known = {"schemaVersion", "label", "message", "color", "labelColor", "isError", "namedLogo", "logoSvg", "logoColor",
             "logoSize", "style", "cacheSeconds"}
    assert read["schemaVersion"] == 1 and read["label"] and read["message"] and read.keys() <= known


def table(folder: Path, summary: dict) -> None:
    with (folder / "trials.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    trials = sum(len(case["trials"]) + case["missing"] for case in summary["cases"])
    assert len(rows) == trials and all(None not in row for row in rows)
    for row in rows:
        for name in ("seconds", "tokens_in", "cost_usd"):
            assert row[name] == "" or float(row[name]) >= 0


def otlp(folder: Path, summary: dict) -> None:
    """The messages of opentelemetry-proto. Ids are hexadecimal in OTLP's JSON and base64 in protobuf's."""
    from google.protobuf import json_format
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    trials = 0
    for line in (folder / "otlp.jsonl").read_text().splitlines():
        data = json.loads(line)
        for spans in data["resourceSpans"]:
            for scope in spans["scopeSpans"]:
                for span in scope["spans"]:
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in span:
                            span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        read = json_format.ParseDict(data, TracesData(), ignore_unknown_fields=False)
        spans = read.resource_spans[0].scope_spans[0].spans
        assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
        trials += 1
    assert trials == sum(len(case["trials"]) for case in summary["cases"])


def inspect(folder: Path, summary: dict) -> None:
    from inspect_ai.log import read_eval_log, read_eval_log_sample, read_eval_log_samples

    path = str(folder / "inspect.json")
    head = read_eval_log(path, header_only=True)
    assert head.eval.task == summary["suite"] and head.samples is None
    log = read_eval_log(path)
    trials = [trial for case in summary["cases"] for trial in case["trials"]]
    assert len(log.samples) == len(trials)
    for sample, trial in zip(log.samples, trials):
        value = sample.scores["outcome"].value if sample.scores else None
        assert value == {"pass": "C", "fail": "I"}.get(trial["outcome"]), (value, trial["outcome"])
        assert (sample.error is not None) == (trial["outcome"] == "invalid")
    first = log.samples[0]
    assert read_eval_log_sample(path, id=first.id, epoch=first.epoch).id == first.id
    assert len(list(read_eval_log_samples(path, all_samples_required=False))) == len(trials)


def converted(folder: Path) -> None:
    """The same numbers in our CTRF and in the one that another tool makes of our JUnit."""
    ours = json.loads((folder / "ctrf.json").read_text())["results"]["summary"]
    theirs = json.loads((folder / "junit-as-ctrf.json").read_text())["results"]["summary"]
    assert ours["tests"] == theirs["tests"] and ours["passed"] == theirs["passed"], (ours, theirs)
    report = json.loads((folder / "validation.sarif").read_text(encoding="utf-8-sig"))
    wrong = [result for run in report["runs"] for result in run.get("results", []) if result.get("level") == "error"]
    assert not wrong, json.dumps(wrong, indent=1)


def main() -> None:
    if sys.argv[1] == "--converted":
        converted(Path(sys.argv[2]))
        return
    folder, xsd, node = map(Path, sys.argv[1:])
    summary = json.loads((folder / "summary.json").read_text())
    junit(folder, summary, xsd)
    sarif(folder, node)
    codequality(folder)
    badge(folder)
    table(folder, summary)
    otlp(folder, summary)
    inspect(folder, summary)
    for line in (folder / "report.jsonl").read_text().splitlines():
        assert json.loads(line)["type"] in ("run", "case", "trial")
    print(f"{folder.name}: read by every library")


main()
