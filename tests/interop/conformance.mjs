// Reads what the conformance suite left behind and decides: node conformance.mjs <text|markdown> <results> <package>
// <expected failures>. Stricter than the suite: a warning fails, a client that stops where it should go on fails, a
// client that goes on where it must refuse fails, and so does a scenario that left nothing behind. What fails for the
// suite itself fails here too.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [format, results, home, expectedFailures] = process.argv.slice(2);
const { parse } = createRequire(join(home, "package.json"))("yaml");
const yaml = (path) => parse(readFileSync(path, "utf8"));

// The client must end these with an error: it is led to a wrong server, or asked for ever more.
const refused = new Set([
  "auth/scope-retry-limit",
  "auth/resource-mismatch",
  "auth/iss-supported-missing",
  "auth/iss-wrong-issuer",
  "auth/iss-unexpected",
  "auth/iss-normalized",
  "auth/metadata-issuer-mismatch",
]);
const backcompat = ["auth/2025-03-26-oauth-metadata-backcompat", "auth/2025-03-26-oauth-endpoint-fallback"];

/** The scenarios of a run, with the reason why each is in it. */
function wanted(run) {
  if (run === "2025-03-26") return backcompat.map((name) => ({ name, why: "back-compat" }));
  const { client, not_scored } = yaml(join(home, "requirements", `${run}.yaml`));
  const others = not_scored.filter(({ leg }) => leg === "client");
  return [
    ...client.map((name) => ({ name, why: "required" })),
    ...others.map(({ scenario, reason }) => ({ name: scenario, why: reason })),
  ];
}

/** The folder of a scenario: its name and the time it began. */
function folder(run, name) {
  const parts = name.split("/");
  const last = parts.pop();
  const parent = join(results, run, ...parts);
  const found = existsSync(parent) ? readdirSync(parent) : [];
  const own = found.filter((entry) => entry.startsWith(`${last}-2`) && /^\d{4}-\d\d-\d\dT/.test(entry.slice(last.length + 1)));
  return own.length === 1 ? join(parent, own[0]) : undefined;
}

function judge(run, { name, why }) {
  const row = { run, name, why, passed: 0, failed: 0, warned: 0, skipped: 0, client: "nothing", bad: [] };
  const at = folder(run, name);
  if (!at) return { ...row, bad: ["the scenario left no result"] };
  for (const check of JSON.parse(readFileSync(join(at, "checks.json"), "utf8"))) {
    const column = { SUCCESS: "passed", FAILURE: "failed", WARNING: "warned", SKIPPED: "skipped" }[check.status];
    if (column) row[column] += 1;
    if (column === "failed" || column === "warned") {
      row.bad.push(`${check.id}: ${check.errorMessage ?? check.description}`);
    }
  }
  const said = readFileSync(join(at, "stdout.txt"), "utf8").trim().split("\n").pop();
  row.client = said.split(":")[0] || "nothing";
  const should = refused.has(name) ? "stopped" : "done";
  if (row.client !== should) row.bad.push(`the client should have ${should}, but said: ${said || "nothing"}`);
  if (row.passed === 0) row.bad.push("no check passed");
  return row;
}

const runs = ["2025-11-25", "2026-07-28", "2025-03-26"];
const rows = runs.flatMap((run) => wanted(run).map((item) => judge(run, item)));
const known = new Set(yaml(expectedFailures).client);
const heads = ["revision", "scenario", "why", "passed", "failed", "warned", "skipped", "client", "verdict"];
const cells = rows.map((row) => [
  row.run, row.name, row.why, row.passed, row.failed, row.warned, row.skipped, row.client,
  row.bad.length === 0 ? "pass" : "FAIL",
].map(String));
if (format === "markdown") {
  console.log(`| ${heads.join(" | ")} |\n|${heads.map(() => "---").join("|")}|`);
  cells.forEach((line) => console.log(`| ${line.join(" | ")} |`));
} else {
  const widths = heads.map((head, i) => Math.max(head.length, ...cells.map((line) => line[i].length)));
  [heads, ...cells].forEach((line) => console.log(line.map((cell, i) => cell.padEnd(widths[i])).join("  ").trimEnd()));
}

const sums = new Map();
for (const row of rows) {
  const key = `${row.run} ${row.why}`;
  const [good, all] = sums.get(key) ?? [0, 0];
  sums.set(key, [good + (row.bad.length === 0 ? 1 : 0), all + 1]);
}
console.log();
sums.forEach(([good, all], key) => console.log(`${key}: ${good}/${all}`));

let code = 0;
for (const run of runs) {
  const ended = readFileSync(join(results, `${run}.exit`), "utf8").trim();
  if (ended !== "0" && ![...known].some((key) => key.startsWith(`${run}/`))) {
    code = 1;
    console.error(`\nthe suite ended the run for ${run} with exit code ${ended}; see ${join(results, `${run}.out`)}`);
  }
}
for (const row of rows) {
  const key = `${row.run}/${row.name}`;
  const fails = row.bad.length > 0;
  if (fails && !known.has(key)) {
    code = 1;
    console.error(`\n${key}`);
    row.bad.forEach((why) => console.error(`  ${why}`));
  }
  if (!fails && known.delete(key)) {
    code = 1;
    console.error(`\n${key} passes; take it out of the expected failures`);
  }
}
for (const key of known) {
  if (rows.some((row) => `${row.run}/${row.name}` === key)) continue;
  code = 1;
  console.error(`\n${key} is expected to fail, but there is no such scenario`);
}
process.exit(code);
