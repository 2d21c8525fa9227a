// The page of a case: its trials, one transcript or two side by side.

// White space alone is no difference worth a mark.
const pieces = (list, tag) => list.map(([text, only]) => (only && text.trim() ? el(tag, {}, text) : text));

// A block of words, with marks where `marked` says what the other side lacks.
const words = (part, marked) => [
  part.label ? el("p", { class: "label" }, part.label) : null,
  el("pre", { tabindex: "0" }, marked || pretty(part.text)),
  part.of ? el("p", { class: "dim" }, `… cut here, ${count(part.of, "character")} in all; \`show\` and the run file have more`) : null,
];

const card = (event, cited, marked) => el("article", {
  class: `card ${event.tone || ""}`, "data-k": event.k, "data-n": event.n, tabindex: "-1",
},
el("header", {},
  el("span", { class: "dim" }, `#${event.n} ${(event.at / 1000).toFixed(2)} s`), " ",
  el("b", {}, event.title), " ",
  (event.facts || []).map((fact) => el("span", { class: "fact" }, fact))),
(cited.get(event.n) || []).map((finding) => el("p", { class: `cited ${finding.grade}` },
  `${finding.grade === "pass" ? "✓" : finding.grade === "fail" ? "✗" : "?"} ${finding.check}: ${finding.why}`)),
(event.parts || []).map((part, at) => words(part, marked && marked[at])));

const citations = (trial) => {
  const cited = new Map();
  for (const finding of trial.findings) {
    for (const n of finding.at) {
      if (!cited.has(n)) cited.set(n, []);
      cited.get(n).push(finding);
    }
  }
  return cited;
};

// The cards that show: all of them with `raw`, else the conversation and whatever a finding rests on.
const visible = (trial, raw, cited) => trial.events.filter((event) => raw || !event.raw || cited.has(event.n));

const LANES = [["model", "model"], ["result", "tools"], ["call", "tools"], ["probe", "probes"], ["auth", "authorization"], ["note", "others"]];

// Who took how long, on one line of time.
const waterfall = (trial) => {
  const total = trial.events.reduce((end, event) => Math.max(end, event.at), Math.max(trial.took, 1));
  const lanes = new Map();
  for (const event of trial.events) {
    if (event.took === undefined) continue;
    const name = (LANES.find(([kind]) => kind === event.k) || ["", "others"])[1];
    if (!lanes.has(name)) lanes.set(name, []);
    lanes.get(name).push(event);
  }
  if (!lanes.size) return null;
  const rows = [...lanes].map(([name, events]) => {
    const sum = events.reduce((all, event) => all + event.took, 0);
    const said = `${name}: ${count(events.length, "time")}, ${number(sum)} ms`;
    const bars = events.map((event) => {
      const from = Math.max(0, event.at - event.took);
      return svg("rect", {
        x: (from / total) * 1000, width: Math.max(2, (event.took / total) * 1000), y: 1, height: 8, "data-k": event.k,
      }, svg("title", {}, `#${event.n} ${event.title}, ${number(event.took)} ms`));
    });
    return el("div", { class: "lane" }, el("span", {}, said),
      svg("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img", "aria-label": said }, bars));
  });
  return el("section", { class: "time", "aria-label": "Time" }, el("h3", {}, `Time: ${number(trial.took)} ms`), rows);
};

const findings = (trial, go) => el("section", { "aria-label": "Findings" }, el("h3", {}, count(trial.findings.length, "finding")),
  el("ul", { class: "findings" }, trial.findings.map((finding) => el("li", { class: finding.grade },
    el("b", {}, `${finding.grade === "pass" ? "✓ holds" : finding.grade === "fail" ? "✗ fails" : "? unscored"} `),
    el("code", {}, finding.check), finding.weight === "must" ? "" : ` (${finding.weight})`, ` ${finding.why} `,
    finding.by ? el("span", { class: "dim" }, `${finding.by} `) : null,
    finding.at.slice(0, 12).map((n) => el("button", { type: "button", class: "jump", on: { click: () => go(n) } }, `#${n}`)),
    el("span", { class: "place" }, finding.place)))));

const differ = (a, b) => {
  const [x, y] = [a.parts || [], b.parts || []];
  return x.length !== y.length || x.some((part, at) => part.text !== y[at].text);
};

// Cards that stand beside each other: those of one kind and title, and in between what has nothing like it, by kind.
const paired = (a, b) => {
  const rows = [];
  let [left, right] = [[], []];
  const flush = () => {
    for (const i of left) {
      const at = right.findIndex((j) => b[j].k === a[i].k);
      rows.push([i, at < 0 ? -1 : right[at]]);
      if (at >= 0) rows.push(...right.splice(0, at + 1).slice(0, -1).map((j) => [-1, j]));
    }
    rows.push(...right.map((j) => [-1, j]));
    [left, right] = [[], []];
  };
  for (const [i, j] of aligned(a, b, (x, y) => x.k === y.k && x.title === y.title)) {
    if (i >= 0 && j >= 0) {
      flush();
      rows.push([i, j]);
    } else if (i >= 0) {
      left.push(i);
    } else {
      right.push(j);
    }
  }
  flush();
  return rows;
};

// Two transcripts, turn by turn.
const sideBySide = (left, right, raw) => {
  const [citedA, citedB] = [citations(left), citations(right)];
  const [a, b] = [visible(left, raw, citedA), visible(right, raw, citedB)];
  let first = true;
  const rows = paired(a, b).map(([i, j]) => {
    const [x, y] = [i >= 0 ? a[i] : null, j >= 0 ? b[j] : null];
    const unlike = !x || !y || x.title !== y.title || differ(x, y);
    const here = unlike && first;
    if (here) first = false;
    let marks = [null, null];
    if (x && y && unlike) {
      const both = (x.parts || []).map((part, at) => compared(pretty(part.text), pretty(((y.parts || [])[at] || { text: "" }).text)));
      marks = [both.map((sides) => pieces(sides[0], "del")), both.map((sides) => pieces(sides[1], "ins"))];
    }
    return el("div", { class: unlike ? "pair unlike" : "pair", id: here ? "divergence" : false, tabindex: here ? "-1" : false },
      here ? el("p", { class: "divergence" }, "From here on they differ") : null,
      el("div", {}, x ? card(x, citedA, marks[0]) : el("p", { class: "dim" }, "nothing like it")),
      el("div", {}, y ? card(y, citedB, marks[1]) : el("p", { class: "dim" }, "nothing like it")));
  });
  return el("section", { class: "pairs", "aria-label": "Transcripts side by side" },
    el("p", {}, first ? "The two transcripts say the same." : el("button", {
      type: "button", on: { click: () => { const at = document.getElementById("divergence"); at.scrollIntoView({ block: "center" }); at.focus(); } },
    }, "Go to the first difference")), rows);
};

const caseLink = (one, trial, more) => `#case/${[one.id, one.model, one.persona, one.client]
  .map(encodeURIComponent).join("/")}${trial ? `/${trial}` : ""}${more || ""}`;

// Everything about a case but its transcript: its state, and its list of trials. `shown` is the trial whose transcript stands
// below, if there is one.
const aboutCase = (one, trial, shown, { choice, around, link }) => {
  const command = `${INDEX.program} show ${INDEX.run} ${one.id}${trial ? ` --trial ${trial.n}` : ""}`;
  const rule = one.rule ? el("dl", {}, el("dt", {}, "rule"), el("dd", {}, `${one.rule.title} (${one.rule.level}, ${one.rule.section})`),
    el("dt", {}, "fix"), el("dd", {}, one.rule.fix)) : null;
  return el("div", { id: "about" },
    el("nav", { "aria-label": "Other cases", class: "around" }, el("a", { href: around.back }, "← all cases"), " ",
      around.previous ? el("a", { href: caseLink(around.previous) }, "previous") : null, " ",
      around.next ? el("a", { href: caseLink(around.next) }, "next") : null),
    el("h2", {}, chip(one.state), " ", one.id),
    el("p", { class: "dim" }, [one.model, one.persona, one.client].filter(Boolean).join(" · ")),
    el("p", {}, one.says, one.was ? `; ${one.was} in the run before` : "", ". ", el("span", { class: "place" }, one.place)),
    one.known ? el("p", {}, `known to fail: ${one.known}`) : null,
    one.skipped ? el("p", {}, one.skipped) : null,
    one.fault ? el("p", { class: "warn" }, `invalid: ${one.fault.code} (${one.fault.side}): ${one.fault.message}`) : null,
    rule,
    !shown && one.failures ? el("ul", { class: "findings" }, one.failures.map((failure) => el("li", { class: "fail" },
      el("code", {}, failure.check), ` ${failure.why} `, el("span", { class: "place" }, failure.place)))) : null,
    el("p", { class: "command" }, command),
    one.trials.length ? el("nav", { "aria-label": "Trials", class: "tabs" }, one.trials.slice(0, 200).map((known) => el("a", {
      href: link(known.n, "", choice.raw), "aria-current": known === trial ? "page" : false, class: known.o,
    }, `trial ${known.n} ${mark(known.o)} ${known.o}`))) : el("p", {}, "No trial of this case ended."));
};

// What may stand beside a trial: the run before, and the other trials.
const besides = (one, trial, shown) => {
  const others = one.trials.filter((other) => trial && other.n !== trial.n && other.at).map((other) => [String(other.n), `trial ${other.n} (${other.o})`]);
  if (shown && shown.before) others.unshift(["before", `the run before, ${shown.before.run} (${shown.before.outcome || "no outcome"})`]);
  return others;
};
const besideOptions = (others, chosen) => [el("option", { value: "" }, "nothing"),
  ...others.map(([value, name]) => el("option", { value, selected: value === chosen }, name))];

// Fills the page of a case. `choice` has the trial's number, what stands beside it, and whether messages on the wire show.
// Nothing happens where `wanted` says that something else is looked at meanwhile.
const showCase = async (main, one, choice, around, wanted) => {
  const trial = one.trials.find((known) => known.n === choice.trial) || one.trials.find((known) => known.o === "fail" && known.at)
    || one.trials[0];
  const shown = trial ? await trialOf(trial) : null;
  const link = (n, beside, raw) => caseLink(one, n, beside || raw ? `?${new URLSearchParams({ ...(beside ? { beside } : {}), ...(raw ? { raw: "1" } : {}) })}` : "");
  const others = besides(one, trial, shown);
  let other = null;
  if (choice.beside === "before") other = shown && shown.before;
  else if (choice.beside) other = await trialOf(one.trials.find((known) => String(known.n) === choice.beside) || {});
  if (!wanted()) return null;
  const go = (n) => {
    const at = main.querySelector(`[data-n="${Number(n)}"]`);
    if (at) {
      at.scrollIntoView({ block: "center" });
      at.focus();
    }
  };
  const cited = shown ? citations(shown) : new Map();
  const events = !shown ? null : other ? [
    el("div", { class: "pair heads" }, el("h3", {}, `trial ${trial.n}, ${trial.o}`),
      el("h3", {}, (others.find(([value]) => value === choice.beside) || ["", "beside"])[1])),
    sideBySide(shown, other, choice.raw),
  ] : el("section", { class: "events", "aria-label": "Transcript" },
    visible(shown, choice.raw, cited).map((event) => card(event, cited)));
  main.replaceChildren(...[
    aboutCase(one, trial, shown, { choice, around, link }),
    trial && !shown ? el("p", { class: "warn" }, INDEX.api ? "This trial has no transcript that can be read."
      : "The transcript of this trial is not in this file, to keep it small. The command above shows it.") : null,
    shown ? el("p", {}, `${shown.end}, started ${shown.started}`) : null,
    shown ? findings(shown, go) : null,
    shown ? waterfall(shown) : null,
    shown ? el("div", { class: "choices" },
      el("label", {}, "beside ", el("select", { id: "beside", on: { change: (event) => { location.hash = link(trial.n, event.target.value, choice.raw); } } },
        besideOptions(others, choice.beside))),
      el("label", {}, el("input", { id: "raw", type: "checkbox", checked: choice.raw, on: { change: (event) => { location.hash = link(trial.n, choice.beside, event.target.checked); } } }),
        " messages on the wire")) : null,
    events,
  ].flat().filter(Boolean));
  return { trial, others, link, transcript: shown };
};
