// Which page is shown, keys, and the look.

let INDEX = { cases: [], program: "", run: "" };
const overview = document.getElementById("overview");
const page = document.getElementById("trial");
const state = { filter: fresh(), order: [], one: null, shown: null, keys: true, turn: 0 };

const parse = (hash) => {
  const [path, query] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const decode = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  return { steps: path.split("/").map(decode), query: query || "" };
};

// The case of a link: names that are left out fit any.
const find = ([, id, model, persona, client]) => INDEX.cases.find((one) => one.id === id && (model === undefined || one.model === model)
  && (persona === undefined || one.persona === persona) && (client === undefined || one.client === client));

const section = { said: el("p", { role: "status", class: "dim" }), filters: el("div", { class: "choices" }), table: el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of cases" }), pager: el("p", { class: "pager" }) };
const search = el("input", { type: "search", id: "search", autocomplete: "off", placeholder: "words of a name, a reason, a check" });

// Notes what has the focus in parts that are made anew; what comes back gives it back, by its address or else by its place.
const focused = (parts) => {
  const had = document.activeElement;
  const part = parts.find((one) => one.contains(had) && one !== had);
  const all = () => [...part.querySelectorAll("a, button, select, input, [tabindex]")];
  const [at, href] = part ? [all().indexOf(had), had.getAttribute("href")] : [-1, null];
  return () => {
    if (!part || part.contains(document.activeElement)) return;
    const now = all();
    const again = (href && now.find((one) => one.getAttribute("href") === href)) || now[at] || search;
    again.focus({ preventScroll: true });
  };
};

// `still` leaves the filters as they are.
const list = (still) => {
  state.order = showCases(section, state.filter, (filter) => {
    state.filter = filter;
    history.replaceState(null, "", toHash(filter));
    settled();
    const again = focused([section.filters, section.pager]);
    list();
    again();
  }, still);
};

// Where a case stands in the list.
const around = (one) => {
  const at = state.order.indexOf(one);
  return { back: toHash(state.filter), previous: state.order[at - 1], next: state.order[at + 1] };
};

// The page shows what its address says.
const settled = () => { document.documentElement.dataset.shown = location.hash; };

const route = async () => {
  const turn = state.turn += 1;
  const { steps, query } = parse(location.hash);
  if (steps[0] === "case" && steps[1] !== undefined) {
    const one = find(steps);
    if (!one) {
      page.replaceChildren(el("p", {}, "There is no such case in this run. "), el("a", { href: "#cases" }, "All cases"));
    } else {
      const given = new URLSearchParams(query);
      const choice = { trial: Number.parseInt(steps[5], 10), beside: given.get("beside") || "", raw: given.get("raw") === "1" };
      const same = state.one === one;
      try {
        const near = around(one);
        const shown = await showCase(page, one, choice, near, () => turn === state.turn);
        if (!shown) return;
        Object.assign(state, { one, shown: { ...shown, choice, around: near } });
      } catch (error) {
        page.replaceChildren(el("p", { class: "warn" }, `This browser cannot show the transcript: ${error}`));
      }
      overview.hidden = true;
      page.hidden = false;
      if (!same && turn > 1) {
        window.scrollTo(0, 0);
        page.focus({ preventScroll: true });
      }
    }
    overview.hidden = true;
    page.hidden = false;
    settled();
    return;
  }
  const was = state.one;
  state.one = null;
  page.hidden = true;
  overview.hidden = false;
  if (steps[0] === "cases") {
    state.filter = { ...fromHash(query), deep: state.filter.deep };
    search.value = state.filter.q;
    list();
  }
  const target = steps[0] ? document.getElementById(steps[0]) : null;
  if (target && overview.contains(target)) target.scrollIntoView();
  const link = was && [...section.table.querySelectorAll("a.case")].find((a) => a.getAttribute("href") === caseLink(was));
  if (link) link.focus();
  settled();
};

const KEYS = [["/", "search"], ["j and k", "next and previous case"], ["n", "next case that fails"], ["] and [", "next and previous trial"],
  ["d", "side by side, and back"], ["r", "messages on the wire, and back"], ["g then o, c, a, t", "overview, cases, access, tools"], ["Esc", "back to the cases"], ["?", "this help"]];

const help = el("dialog", { "aria-label": "Keys" }, el("h2", {}, "Keys"),
  el("dl", { class: "facts" }, KEYS.map(([key, about]) => [el("dt", {}, key), el("dd", {}, about)])),
  el("label", {}, el("input", { type: "checkbox", checked: true, on: { change: (event) => { state.keys = event.target.checked; } } }), " single keys act"),
  el("p", {}, el("button", { type: "button", on: { click: () => help.close() } }, "close")));

const move = (by) => {
  if (state.one) {
    const to = by > 0 ? state.shown.around.next : state.shown.around.previous;
    if (to) location.hash = caseLink(to);
    return;
  }
  const links = [...section.table.querySelectorAll("a.case")];
  const at = links.indexOf(document.activeElement);
  const to = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by];
  if (to) to.focus();
};

const nextFailing = () => {
  const from = state.one ? state.order.indexOf(state.one) : -1;
  const next = state.order.slice(from + 1).find((one) => ["security", "fail", "unexpected-pass"].includes(one.state));
  if (next) location.hash = caseLink(next);
};

const within = (act) => () => {
  if (state.one && state.shown && state.shown.trial) location.hash = act(state.shown, state.one) || location.hash;
};
const turnTrial = (by) => within(({ trial, link, choice }, one) => {
  const to = one.trials[one.trials.indexOf(trial) + by];
  return to && link(to.n, "", choice.raw);
});

const ACTS = new Map([
  ["j", () => move(1)], ["k", () => move(-1)], ["n", nextFailing], ["]", turnTrial(1)], ["[", turnTrial(-1)],
  ["d", within(({ trial, link, choice, others }) => link(trial.n, choice.beside ? "" : (others[0] || [""])[0], choice.raw))],
  ["r", within(({ trial, link, choice }) => link(trial.n, choice.beside, !choice.raw))],
  ["?", () => help.showModal()],
  ["/", () => { if (state.one) location.hash = toHash(state.filter); setTimeout(() => search.focus(), 0); }],
  ["Escape", () => { if (state.one) location.hash = toHash(state.filter); }],
]);
const PLACES = new Map([["o", "verdict"], ["c", "cases"], ["a", "access"], ["t", "tools"]]);

let going = false;
const press = (event) => {
  const typing = event.target.matches && event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || !state.keys) return;
  if (typing) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going && PLACES.has(event.key)) {
    location.hash = PLACES.get(event.key);
    event.preventDefault();
  } else if (ACTS.has(event.key)) {
    ACTS.get(event.key)();
    event.preventDefault();
  }
  going = event.key === "g";
};

const start = async () => {
  document.getElementById("controls").append(looks(), " ",
    el("button", { type: "button", on: { click: () => help.showModal() } }, "keys"), " ",
    el("button", { type: "button", on: { click: () => window.print() } }, "print"));
  document.body.append(help);
  const cases = document.getElementById("cases");
  try {
    INDEX = await inflate("index");
  } catch (error) {
    cases.append(el("p", { class: "warn" }, `This browser cannot read the table of cases: ${error}`));
    return;
  }
  const deep = el("button", { type: "button", on: { click: async () => {
    const seek = INDEX.api ? searchServed : searchTranscripts;
    const found = await seek(INDEX.cases, search.value, (text) => { section.said.textContent = text; });
    state.filter = { ...state.filter, q: search.value, page: 0, deep: found };
    list();
  } } }, "search transcripts too");
  search.addEventListener("input", () => {
    state.filter = { ...state.filter, q: search.value, page: 0 };
    history.replaceState(null, "", toHash(state.filter));
    settled();
    list();
  });
  cases.append(el("div", { class: "choices" }, el("label", { for: "search" }, "search"), search, deep), section.filters, section.said, section.table, section.pager);
  list();
  window.addEventListener("hashchange", route);
  document.addEventListener("keydown", press);
  await route();
  document.documentElement.dataset.ready = "yes";
};
const started = start();
