// Two runs compared: what `compare` says, the cases that went another way, and their transcripts side by side.

const INDEX = {};
const PAGE = 100;
const SIDES = new URLSearchParams(location.search);
const [A, B] = [SIDES.get("a") || "", SIDES.get("b") || ""];
const main = document.getElementById("main");
const overview = el("div", { id: "overview" });
const pair = el("div", { id: "trial", tabindex: "-1", hidden: true });
const state = { found: null, what: "", page: 0 };

const FINDINGS = new Map([["worse", "fail"], ["better", "pass"], ["not told apart", "undecided"], ["nothing in common", "missing"]]);
const WHATS = new Map([["lost", "fail"], ["gained", "pass"], ["changed", "undecided"], ["gone", "missing"], ["new", "skipped"]]);
const ABOUT = new Map([["lost", "passes less often now"], ["gained", "passes more often now"], ["changed", "asks or expects something else now"], ["gone", "only on the earlier side"], ["new", "only on the later side"]]);

const list = (heading, items, level) => (items.length ? [el(level || "h2", {}, heading), el("ul", {}, items.map((item) => el("li", {}, item)))] : []);

const movers = (words, heading, rows) => (rows.length ? [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": heading },
  el("table", {}, el("thead", {}, el("tr", {}, words.columns.map((name, at) => el("th", { scope: "col" }, at ? name : heading)))),
    el("tbody", {}, rows.slice(0, 50).map((row) => el("tr", {}, row.map((text, at) => (at ? el("td", {}, text) : el("th", { scope: "row" }, text)))))))),
rows.length > 50 ? el("p", { class: "dim" }, `and ${number(rows.length - 50)} more`) : null] : []);

const part = (words) => (one) => el("article", {},
  el("h2", {}, el("span", { class: "state", "data-state": FINDINGS.get(one.finding) || "missing" }, one.finding), " ", one.name),
  el("p", {}, one.change), el("p", { class: "dim" }, one.sight ? `${one.basis}; ${one.sight}` : one.basis),
  movers(words, "lost", one.losers), movers(words, "gained", one.gainers), list("Left out", one.left_out, "h3"));

const tally = (one) => (one ? `${one.passed}/${one.trials}` : "-");
const link = (cell, more) => `#pair/${[cell.id, cell.models[0], cell.models[1], cell.persona, cell.client].map(encodeURIComponent).join("/")}${more || ""}`;

const cells = () => {
  const { found: { cells: all, more, same }, what } = state;
  const counts = new Map();
  for (const cell of all) counts.set(cell.what, (counts.get(cell.what) || 0) + 1);
  const shown = all.filter((cell) => !what || cell.what === what);
  const pages = Math.max(1, Math.ceil(shown.length / PAGE));
  const turn = (to, name) => el("button", { type: "button", disabled: to < 0 || to >= pages, on: { click: () => { state.page = to; place.replaceChildren(...cells()); } } }, name);
  return [
    el("p", { class: "dim" }, `${count(all.length + more, "case")} went another way, ${number(same)} pass as often. Counts, without a test.${more ? ` ${number(more)} are not listed.` : ""}`),
    el("div", { class: "chips", role: "group", "aria-label": "What became of them" }, [...WHATS].filter(([name]) => counts.has(name)).map(([name, kind]) => el("button", {
      type: "button", "aria-pressed": String(what === name), "data-state": kind, title: ABOUT.get(name),
      on: { click: () => { state.what = what === name ? "" : name; state.page = 0; place.replaceChildren(...cells()); } },
    }, `${name} ${number(counts.get(name))}`))),
    shown.length ? el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Cases" }, el("table", {},
      el("thead", {}, el("tr", {}, ["what", "case", "then", "now", "model", "persona", "client"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, shown.slice(state.page * PAGE, (state.page + 1) * PAGE).map((cell) => el("tr", {},
        el("td", {}, el("span", { class: "state", "data-state": WHATS.get(cell.what) }, cell.what)),
        el("th", { scope: "row" }, cell.then && cell.now ? el("a", { href: link(cell), class: "case" }, cell.id) : cell.id),
        el("td", {}, tally(cell.then)), el("td", { class: cell.what === "lost" ? "bad" : cell.what === "gained" ? "good" : "" }, tally(cell.now)),
        el("td", {}, [...new Set(cell.models)].filter(Boolean).join(" → ") || "-"), el("td", {}, cell.persona), el("td", {}, cell.client)))))) : null,
    pages > 1 ? el("p", { class: "pager" }, turn(state.page - 1, "previous page"), ` page ${state.page + 1} of ${pages} `, turn(state.page + 1, "next page")) : null,
  ].filter(Boolean);
};
const place = el("section", { id: "cells", "aria-label": "Cases that went another way" });

const show = ({ words }) => {
  overview.replaceChildren(...[
    el("dl", {}, ["before", "now"].map((name, at) => [el("dt", {}, name), el("dd", {}, el("a", { href: `runs/${encodeURIComponent(at ? B : A)}` }, words.sides[at]))])),
    el("p", {}, words.question, " ", el("a", { href: `compare?${new URLSearchParams({ a: B, b: A })}` }, "The other way round")),
    words.parts.length ? words.parts.map(part(words)) : el("p", {}, "No use case is compared: the sides have no model in common."),
    words.parts.some((one) => one.losers.length + one.gainers.length) ? el("p", { class: "dim" }, words.legend) : null,
    list("Access and auth cases, which are exact", words.exact), list("Models that are not compared", words.unshared),
    list("Not alike on both sides, so a change may have these causes", words.drift),
    el("h2", {}, "Cases that went another way"), place,
  ].flat(3).filter(Boolean));
  place.replaceChildren(...cells());
};

const trialsOf = async (side, cell, model) => (await asked(`api/runs/${encodeURIComponent(side)}/case?${new URLSearchParams({ case: cell.id })}`))
  .filter((one) => one.model === model && one.persona === cell.persona && one.client === cell.client);

// What a trial was found to be, on one side.
const found = (trial, side) => {
  const node = findings(trial, () => {});
  node.setAttribute("aria-label", `Findings ${side}`);
  for (const jump of node.querySelectorAll("button")) jump.remove();
  return node;
};

// The trials of one case on both sides. At first those that went another way.
const beside = async (steps, given) => {
  const [id, modelA, modelB, persona, client] = steps;
  const cell = { id, models: [modelA, modelB], persona, client };
  const [left, right] = await Promise.all([trialsOf(A, cell, modelA), trialsOf(B, cell, modelB)]);
  const pick = (trials, n, not) => trials.find((one) => one.n === n) || trials.find((one) => one.o !== not) || trials[0];
  const known = state.found && state.found.cells.find((one) => one.id === id && one.persona === persona && one.client === client && one.models[0] === modelA);
  const b = pick(right, Number(given.get("b")), known && known.what === "gained" ? "fail" : "pass");
  const a = pick(left, Number(given.get("a")), b && b.o);
  if (!a || !b) return [el("p", {}, "This case has no trial that ended on one of the sides.")];
  const raw = given.get("raw") === "1";
  const shown = await Promise.all([[A, a], [B, b]].map(([side, one]) => asked(`api/runs/${encodeURIComponent(side)}/trials/${one.at}`)));
  const to = (parts) => link(cell, `?${new URLSearchParams({ a: a.n, b: b.n, ...(raw ? { raw: "1" } : {}), ...parts })}`);
  const tabs = (name, trials, one, key) => el("nav", { class: "tabs", "aria-label": `Trials ${name}` }, el("span", { class: "dim" }, `${name} `),
    trials.slice(0, 200).map((other) => el("a", { href: to({ [key]: other.n }), class: other.o, "aria-current": other === one ? "page" : false }, `trial ${other.n} ${mark(other.o)} ${other.o}`)));
  return [
    el("nav", { "aria-label": "Back" }, el("a", { href: "#", class: "back" }, "← the comparison")),
    el("h2", {}, id), el("p", { class: "dim" }, [[...new Set(cell.models)].filter(Boolean).join(" → "), persona, client].filter(Boolean).join(" · ")),
    tabs("before", left, a, "a"), tabs("now", right, b, "b"),
    el("div", { class: "choices" }, el("label", {}, el("input", { id: "raw", type: "checkbox", checked: raw, on: { change: (event) => { location.hash = to({ raw: event.target.checked ? "1" : "" }); } } }), " messages on the wire")),
    el("div", { class: "pair heads" }, [[a, "before"], [b, "now"]].map(([one, name], at) => el("div", {}, el("h3", {}, `${name}: trial ${one.n}, ${one.o}`), el("p", {}, shown[at].end), found(shown[at], name)))),
    sideBySide(shown[0], shown[1], raw),
  ];
};

let turn = 0;
const route = async () => {
  const mine = turn += 1;
  const [path, query] = location.hash.replace(/^#/, "").split(/\?(.*)/s);
  const steps = path.split("/");
  if (steps[0] === "pair" && steps.length === 6) {
    let nodes;
    try {
      nodes = await beside(steps.slice(1).map(decodeURIComponent), new URLSearchParams(query || ""));
    } catch (error) {
      nodes = [el("p", { class: "warn" }, `These transcripts cannot be shown: ${error.message || error} `), el("a", { href: "#" }, "The comparison")];
    }
    if (mine !== turn) return;
    pair.replaceChildren(...nodes);
    overview.hidden = true;
    pair.hidden = false;
    window.scrollTo(0, 0);
    pair.focus({ preventScroll: true });
  } else {
    pair.hidden = true;
    overview.hidden = false;
  }
  document.documentElement.dataset.shown = location.hash;
};

const start = async () => {
  document.getElementById("title").append(" compared");
  document.getElementById("place").append(el("a", { href: "./" }, "← All runs"));
  document.getElementById("controls").append(looks());
  main.append(overview, pair);
  overview.append(el("p", { role: "status", class: "dim" }, "reading both runs …"));
  try {
    state.found = await asked(`api/compare?${new URLSearchParams({ a: A, b: B })}`);
    show(state.found);
  } catch (error) {
    overview.replaceChildren(el("p", { class: "warn" }, `These runs cannot be compared: ${error.message || error}`));
  }
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches && event.target.matches("input:not([type=checkbox]), select, textarea");
    if (!typing && event.key === "Escape" && !event.ctrlKey && !event.metaKey && !event.altKey) location.hash = "";
  });
  await route();
  document.documentElement.dataset.ready = "yes";
};
start();
