// The table of cases: filters, search, pages, and the grid of models.

const PAGE = 50;
const STATES = ["security", "fail", "unexpected-pass", "undecided", "invalid", "missing", "flaky", "expected-failure", "pass", "skipped"];
const SORTS = new Map([
  ["urgency", (a, b) => a.urgency - b.urgency],
  ["name", (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)],
  ["slowest", (a, b) => b.seconds - a.seconds],
  ["dearest", (a, b) => (b.cost || 0) - (a.cost || 0)],
]);

const fresh = () => ({ q: "", states: new Set(), kind: "", model: "", persona: "", sort: "urgency", view: "list", page: 0, deep: null });

const fromHash = (text) => {
  const given = new URLSearchParams(text);
  const filter = fresh();
  for (const key of ["q", "kind", "model", "persona"]) filter[key] = given.get(key) || "";
  if (SORTS.has(given.get("sort"))) filter.sort = given.get("sort");
  if (given.get("view") === "grid") filter.view = "grid";
  filter.states = new Set((given.get("state") || "").split(",").filter((state) => STATES.includes(state)));
  filter.page = Math.max(0, (Number.parseInt(given.get("page"), 10) || 1) - 1);
  return filter;
};

const toHash = (filter) => {
  const given = new URLSearchParams();
  for (const key of ["q", "kind", "model", "persona"]) if (filter[key]) given.set(key, filter[key]);
  if (filter.sort !== "urgency") given.set("sort", filter.sort);
  if (filter.view !== "list") given.set("view", filter.view);
  if (filter.states.size) given.set("state", [...filter.states].join(","));
  if (filter.page) given.set("page", filter.page + 1);
  const text = given.toString();
  return text ? `#cases?${text}` : "#cases";
};

// What is searched of a case, made once.
const haystack = (one) => {
  if (one.hay === undefined) {
    const failed = (one.failures || []).map((failure) => `${failure.check} ${failure.why}`);
    one.hay = [one.id, one.model, one.persona, one.client, one.place, one.rule ? one.rule.title : "", ...failed].join("\n").toLowerCase();
  }
  return one.hay;
};

const matches = (one, filter, words) => (!filter.kind || one.kind === filter.kind) && (!filter.model || one.model === filter.model)
  && (!filter.persona || one.persona === filter.persona)
  && words.every((word) => haystack(one).includes(word) || (filter.deep && filter.deep.q === filter.q && filter.deep.found.has(one)));

const filtered = (cases, filter) => {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const before = cases.filter((one) => matches(one, filter, words));
  const states = new Map();
  for (const one of before) states.set(one.state, (states.get(one.state) || 0) + 1);
  const all = filter.states.size ? before.filter((one) => filter.states.has(one.state)) : before;
  return { all: all.sort(SORTS.get(filter.sort)), states };
};

// The cases in whose transcripts all words stand. Blocks are inflated one after the other.
const searchTranscripts = async (cases, q, tell) => {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const byBlock = new Map();
  for (const one of cases) {
    for (const trial of one.trials) {
      if (!trial.at) continue;
      if (!byBlock.has(trial.at[0])) byBlock.set(trial.at[0], []);
      byBlock.get(trial.at[0]).push([one, trial.at[1]]);
    }
  }
  const found = new Set();
  let done = 0;
  for (const [number, places] of byBlock) {
    const trials = await inflate(`b${number}`);
    for (const [one, at] of places) {
      const parts = trials[at].events.flatMap((event) => [event.title, ...(event.parts || []).map((part) => part.text)]);
      const text = parts.join("\n").toLowerCase();
      if (words.every((word) => text.includes(word))) found.add(one);
    }
    done += 1;
    tell(`searched ${done} of ${count(byBlock.size, "block")}`);
  }
  return { q, found };
};

// The same where a server has the transcripts: it looks through a part of them at a time.
const searchServed = async (cases, q, tell) => {
  const byKey = new Map();
  for (const one of cases) for (const trial of one.trials) if (trial.at) byKey.set(trial.at, one);
  const found = new Set();
  let from = 0;
  while (q.trim() && from !== null) {
    const part = await asked(`${INDEX.api}/search?${new URLSearchParams({ q, from })}`);
    for (const key of part.found) if (byKey.has(key)) found.add(byKey.get(key));
    from = part.next;
    tell(`searched ${number(from === null ? part.of : from)} of ${count(part.of, "trial")}`);
  }
  return { q, found };
};

const ticks = (one) => {
  const shown = one.trials.slice(0, 10).map((trial) => mark(trial.o)).join("");
  return one.trials.length > 10 ? `${shown} +${one.trials.length - 10}` : shown;
};

const listTable = (cases) => el("table", {},
  el("thead", {}, el("tr", {}, ["state", "case", "model", "persona", "client", "trials", "passed", "time", "cost", "why"]
    .map((name) => el("th", { scope: "col", class: ["passed", "time", "cost"].includes(name) ? "right" : false }, name)))),
  el("tbody", {}, cases.map((one) => el("tr", {},
    el("td", {}, chip(one.state)),
    el("th", { scope: "row" }, el("a", { href: caseLink(one), class: "case" }, one.id)),
    el("td", {}, one.model || "-"), el("td", {}, one.persona), el("td", {}, one.client),
    el("td", { class: "ticks" }, el("span", { "aria-hidden": "true" }, ticks(one)), el("span", { class: "unseen" }, count(one.trials.length, "trial"))),
    el("td", { class: "right" }, `${one.passed}/${one.judged}`, one.was && one.was !== `${one.passed}/${one.judged}` ? el("span", { class: "dim" }, ` was ${one.was}`) : null),
    el("td", { class: "right" }, seconds(one.seconds)), el("td", { class: "right" }, one.price),
    el("td", { class: "why" }, (one.failures || []).length ? one.failures[0].why : one.fault ? one.fault.message : one.skipped || "")))));

// Cases by models: one line for each case, persona and client.
const gridRows = (cases) => {
  const rows = new Map();
  for (const one of cases) {
    const key = JSON.stringify([one.id, one.persona, one.client]);
    if (!rows.has(key)) rows.set(key, { head: one, by: new Map() });
    rows.get(key).by.set(one.model, one);
  }
  return [...rows.values()];
};

const gridTable = (rows, models) => el("table", { class: "grid" },
  el("thead", {}, el("tr", {}, ["case", "persona", "client", ...models.map((model) => model || "no model")].map((name) => el("th", { scope: "col" }, name)))),
  el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.head.id), el("td", {}, row.head.persona), el("td", {}, row.head.client),
    models.map((model) => {
      const one = row.by.get(model);
      return one ? el("td", { class: "heat", "data-state": one.state },
        el("a", { href: caseLink(one), class: "case", "aria-label": `${one.id}, ${model || "no model"}: ${one.state}, ${one.passed} of ${one.judged} passed` },
          `${mark(one.state)} ${one.passed}/${one.judged}`)) : el("td", { class: "heat none" });
    })))));

const choiceOf = (name, values, chosen, act) => el("label", {}, `${name} `, el("select", { on: { change: (event) => act(event.target.value) } },
  el("option", { value: "" }, "all"), values.map((value) => el("option", { value, selected: value === chosen }, value || "-"))));

// Fills the section; `change` is called with a filter that somebody chose. `still` leaves the choices as they are.
const showCases = (section, filter, change, still) => {
  const cases = INDEX.cases;
  const found = filtered(cases, filter);
  const kinds = [...new Set(cases.map((one) => one.kind))];
  const models = [...new Set(cases.map((one) => one.model))].sort();
  const personas = [...new Set(cases.map((one) => one.persona))].sort();
  const set = (part) => change({ ...filter, page: 0, ...part });
  const rows = filter.view === "grid" ? gridRows(found.all) : found.all;
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  const page = Math.min(filter.page, pages - 1);
  const from = page * PAGE;
  const here = rows.slice(from, from + PAGE);
  const toggle = (state) => {
    const states = new Set(filter.states);
    if (!states.delete(state)) states.add(state);
    set({ states });
  };
  section.said.textContent = `${count(found.all.length, "case")} of ${number(cases.length)}${pages > 1 ? `, lines ${number(from + 1)} to ${number(from + here.length)}` : ""}`;
  if (!still) section.filters.replaceChildren(
    el("div", { class: "chips", role: "group", "aria-label": "States" }, STATES.filter((state) => found.states.get(state) || filter.states.has(state))
      .map((state) => el("button", { type: "button", "aria-pressed": String(filter.states.has(state)), "data-state": state, on: { click: () => toggle(state) } },
        `${mark(state)} ${state} ${number(found.states.get(state) || 0)}`))),
    ...[["kind", kinds], ["model", models], ["persona", personas]].filter(([, values]) => values.length > 1)
      .map(([key, values]) => choiceOf(key, values.filter(Boolean), filter[key], (value) => set({ [key]: value }))),
    el("label", {}, "sort ", el("select", { on: { change: (event) => set({ sort: event.target.value }) } },
      [...SORTS.keys()].map((name) => el("option", { value: name, selected: name === filter.sort }, name)))),
    el("label", {}, el("input", { type: "checkbox", checked: filter.view === "grid", on: { change: (event) => set({ view: event.target.checked ? "grid" : "list" }) } }), " by model"));
  section.table.replaceChildren(filter.view === "grid" ? gridTable(here, [...new Set(found.all.map((one) => one.model))].sort()) : listTable(here));
  const turn = (to, name) => el("button", { type: "button", disabled: to < 0 || to >= pages, on: { click: () => change({ ...filter, page: to }) } }, name);
  section.pager.replaceChildren(...(pages > 1 ? [turn(page - 1, "previous page"), ` page ${page + 1} of ${pages} `, turn(page + 1, "next page")] : []));
  return found.all;
};
