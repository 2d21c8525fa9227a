// The list of runs: filters, the course of each suite, and two runs chosen to be compared. It asks for news by itself.

const PAGE = 50;
const COURSE = 40;
const COURSES = 6;
const given = new URLSearchParams(location.hash.replace(/^#/, ""));
const filter = { q: given.get("q") || "", suite: given.get("suite") || "", state: given.get("state") || "", model: given.get("model") || "", page: Math.max(0, (Number.parseInt(given.get("page"), 10) || 1) - 1) };
let ROWS = { folder: "", runs: [], pending: 0 };
const chosen = new Set();

// How a run ended in a word, and which colour that has.
const KINDS = new Map([["pass", "pass"], ["fail", "fail"], ["security", "security"], ["inconclusive", "undecided"]]);
const word = (row) => (row.state === "ended" ? row.verdict || `exit ${row.exit}` : row.state);
const kind = (row) => {
  if (row.state === "ended") return KINDS.get(row.verdict) || "invalid";
  return row.state === "running" ? "running" : row.state === "unreadable" ? "invalid" : "missing";
};
const sign = (row) => (row.state === "running" ? "▶" : mark(kind(row)));
const percent = (share) => `${(share * 100).toFixed(1)} %`;
const who = (rate) => [rate.model, rate.persona, rate.client].filter(Boolean).join(" · ");
const rated = (rate) => percent(rate.rate) + (rate.low === null ? "" : ` (${percent(rate.low)} to ${percent(rate.high)})`);

const fits = (row) => {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const hay = [row.run, row.suite, row.started, word(row), row.models.join(" "), row.file, row.part || "", row.error || ""].join("\n").toLowerCase();
  return (!filter.suite || row.suite === filter.suite) && (!filter.state || word(row) === filter.state)
    && (!filter.model || row.models.includes(filter.model)) && words.every((one) => hay.includes(one));
};

const said = el("p", { role: "status", class: "dim" });
const news = el("p", { class: "warn" });
const search = el("input", { type: "search", id: "search", autocomplete: "off", placeholder: "a run, a model, a day", value: filter.q });
const choices = el("div", { class: "choices selects" });
const courses = el("section", { id: "courses", "aria-label": "Trends" });
const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of runs" });
const pager = el("p", { class: "pager" });
const compare = el("button", { type: "button", id: "compare", disabled: true, on: { click: () => both() } }, "compare two runs");

const both = () => {
  const two = ROWS.runs.filter((row) => chosen.has(row.id));
  if (two.length === 2) location.href = `compare?${new URLSearchParams({ a: two[1].id, b: two[0].id })}`;
};

const counted = (row) => {
  const { passed, failed, invalid, skipped, unscored } = row.counts;
  const ended = passed + failed + invalid + skipped + unscored;
  const parts = [`${number(passed)} passed`, `${number(failed)} failed`];
  if (invalid) parts.push(`${number(invalid)} invalid`);
  if (skipped) parts.push(`${number(skipped)} skipped`);
  return [`${number(ended)} of ${number(row.planned)}`, parts.join(", ")];
};

const line = (row) => {
  const [ended, parts] = row.state === "unreadable" ? ["-", ""] : counted(row);
  const box = el("input", { type: "checkbox", class: "choose", "data-run": row.id, "aria-label": `compare ${row.suite} of ${row.started}`, checked: chosen.has(row.id),
    disabled: row.state === "unreadable", on: { change: (event) => { if (event.target.checked) chosen.add(row.id); else chosen.delete(row.id); choosing(); } } });
  return el("tr", {},
    el("td", {}, box),
    el("td", {}, el("span", { class: "state", "data-state": kind(row) }, `${sign(row)} ${word(row)}`)),
    el("th", { scope: "row" }, el("a", { href: `runs/${row.id}`, class: "run" }, row.started.replace("T", " ").replace("Z", "") || row.run), row.part ? el("span", { class: "dim" }, ` ${row.part}`) : null),
    el("td", {}, row.suite || "-"),
    el("td", { class: "counts" }, ended, el("br"), el("span", { class: "dim" }, parts)),
    el("td", { class: "rates" }, row.rates.slice(0, 3).map((rate) => el("div", {}, el("b", {}, rated(rate)), el("span", { class: "dim" }, ` ${who(rate)}`))),
      row.rates.length > 3 ? el("div", { class: "dim" }, `and ${row.rates.length - 3} more`) : null),
    el("td", { class: "right" }, row.cost === null ? "-" : row.cost),
    el("td", {}, row.models.join(", ") || "-"),
    el("td", { class: "why" }, row.error || el("code", { title: row.run }, row.run.slice(0, 13))));
};

// One dot for each run with its interval, the oldest on the left.
const course = (suite, who_, points) => {
  const width = Math.max(points.length, 12) * 18;
  const y = (share) => (66 - share * 58).toFixed(1);
  const last = points[points.length - 1];
  const label = `${suite}, ${who_}: ${count(points.length, "run")}, the newest ${rated(last[1])}`;
  return el("figure", {}, el("figcaption", {}, el("b", {}, suite), ` ${who_}: `, el("span", { class: "dim" }, `${count(points.length, "run")}, the newest ${rated(last[1])}`)),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Course of ${suite}, ${who_}` }, svg("svg", { class: "course", viewBox: `0 0 ${width} 74`, width, height: 74, role: "img", "aria-label": label },
      svg("line", { class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0) }), svg("line", { class: "axis", x1: 0, x2: width, y1: y(1), y2: y(1) }),
      points.map(([row, rate], at) => [
        rate.low === null ? null : svg("line", { class: "span", x1: at * 18 + 9, x2: at * 18 + 9, y1: y(rate.low), y2: y(rate.high) }),
        svg("circle", { class: "dot", cx: at * 18 + 9, cy: y(rate.rate), r: 4 }, svg("title", {}, `${row.started}: ${rated(rate)}`))]))));
};

const drawn = (rows) => {
  const lines = new Map();
  for (const row of [...rows].reverse()) {
    if (row.part) continue;
    for (const rate of row.rates) {
      const key = JSON.stringify([row.suite, who(rate)]);
      if (!lines.has(key)) lines.set(key, []);
      lines.get(key).push([row, rate]);
    }
  }
  const shown = [...lines].filter(([, points]) => points.length > 1);
  courses.replaceChildren(...(shown.length ? [el("h2", {}, "Trends"),
    el("p", { class: "dim" }, "Pass rates of whole runs with 95 % intervals, from 0 to 100 %, the oldest on the left. Suites and models may have changed between runs."),
    el("div", { class: "courses" }, shown.slice(0, COURSES).map(([key, points]) => course(...JSON.parse(key), points.slice(-COURSE)))),
    shown.length > COURSES ? el("p", { class: "dim" }, `and ${shown.length - COURSES} more: choose a suite`) : null] : []).filter(Boolean));
};

const choosing = () => {
  compare.disabled = chosen.size !== 2;
  compare.textContent = chosen.size === 2 ? "compare the two" : `compare two runs (${chosen.size} chosen)`;
};

const choice = (name, values) => el("label", {}, `${name} `, el("select", { "data-key": name, on: { change: (event) => { filter[name] = event.target.value; filter.page = 0; show(); } } },
  el("option", { value: "" }, "all"), values.map((value) => el("option", { value, selected: value === filter[name] }, value))));

const address = () => {
  const parts = new URLSearchParams();
  for (const key of ["q", "suite", "state", "model"]) if (filter[key]) parts.set(key, filter[key]);
  if (filter.page) parts.set("page", filter.page + 1);
  const text = parts.toString();
  history.replaceState(null, "", text ? `#${text}` : location.pathname);
};

// What has the focus is made anew; it keeps the focus by what it is.
const kept = (make) => {
  const focus = document.activeElement;
  const find = [["data-run", table], ["href", table], ["data-key", choices], ["data-turn", pager]].find(([name, part]) => part.contains(focus) && focus.hasAttribute(name));
  make();
  if (!find) return;
  const [name, part] = find;
  const again = [...part.querySelectorAll(`[${name}]`)].find((one) => one.getAttribute(name) === focus.getAttribute(name));
  if (again) again.focus();
};

const show = (fromNews) => kept(() => {
  const rows = ROWS.runs.filter(fits);
  const values = (of) => [...new Set(ROWS.runs.flatMap(of))].filter(Boolean).sort();
  for (const id of chosen) if (!ROWS.runs.some((row) => row.id === id)) chosen.delete(id);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  filter.page = Math.min(filter.page, pages - 1);
  address();
  const going = ROWS.runs.filter((row) => row.state === "running").length;
  said.textContent = `${number(rows.length)} of ${count(ROWS.runs.length, "run")}${going ? `, ${number(going)} running` : ""}${ROWS.pending ? `, rates of ${number(ROWS.pending)} to come` : ""}`;
  // A list of choices that somebody has open is not pulled away.
  if (!fromNews || !choices.contains(document.activeElement)) {
    choices.replaceChildren(choice("suite", values((row) => [row.suite])), choice("state", values((row) => [word(row)])), choice("model", values((row) => row.models)));
  }
  choosing();
  const here = rows.slice(filter.page * PAGE, (filter.page + 1) * PAGE);
  table.replaceChildren(here.length ? el("table", {}, el("thead", {}, el("tr", {},
    [el("span", { class: "unseen" }, "compare"), "verdict", "started (UTC)", "suite", "trials", "pass rate", "cost", "models", "run"].map((name) => el("th", { scope: "col" }, name)))),
  el("tbody", {}, here.map(line))) : el("p", {}, ROWS.runs.length ? "No run fits." : "There are no runs here yet. `rehearsal eval` makes one."));
  const turn = (to, name) => el("button", { type: "button", "data-turn": name, disabled: to < 0 || to >= pages, on: { click: () => { filter.page = to; show(); } } }, name);
  pager.replaceChildren(...(pages > 1 ? [turn(filter.page - 1, "previous page"), ` page ${filter.page + 1} of ${pages} `, turn(filter.page + 1, "next page")] : []));
  drawn(rows);
});

const KEYS = [["/", "search"], ["j and k", "next and previous run"], ["x", "choose the run for a comparison"], ["c", "compare the two chosen runs"], ["?", "this help"]];
const help = el("dialog", { "aria-label": "Keys" }, el("h2", {}, "Keys"), el("dl", { class: "facts" }, KEYS.map(([key, about]) => [el("dt", {}, key), el("dd", {}, about)])),
  el("p", {}, el("button", { type: "button", on: { click: () => help.close() } }, "close")));

const move = (by) => {
  const links = [...table.querySelectorAll("a.run")];
  const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (to) to.focus();
};
const choose = () => {
  const row = document.activeElement.closest("tr");
  const box = row && row.querySelector("input.choose");
  if (box) box.click();
};
const ACTS = new Map([["/", () => search.focus()], ["j", () => move(1)], ["k", () => move(-1)], ["x", choose], ["c", both], ["?", () => help.showModal()]]);
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches && event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (ACTS.has(event.key)) {
    ACTS.get(event.key)();
    event.preventDefault();
  }
});

let tag = null;
const ask = async () => {
  const answer = await fetch("api/runs", { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  tag = answer.headers.get("ETag");
  ROWS = await answer.json();
  document.getElementById("place").textContent = ROWS.folder;
  show(true);
};

const start = async () => {
  document.getElementById("controls").append(looks(), " ", el("button", { type: "button", on: { click: () => help.showModal() } }, "keys"));
  document.body.append(help);
  search.addEventListener("input", () => { filter.q = search.value; filter.page = 0; show(); });
  document.getElementById("main").append(news, el("div", { class: "choices" }, el("label", { for: "search" }, "search"), search, choices), el("div", { class: "choices" }, compare, said), table, pager, courses);
  for (;;) {
    try {
      if (!document.hidden || tag === null) await ask();
      news.textContent = "";
    } catch (error) {
      news.textContent = `No news: ${error.message || error}. Is the viewer still running?`;
    }
    document.documentElement.dataset.ready = "yes";
    await new Promise((done) => setTimeout(done, ROWS.pending ? 200 : 2000));
  }
};
start();
