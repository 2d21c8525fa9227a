// A run in progress, on a page that is served: its numbers every two seconds; its cases, and the trials of the case that is
// open, when they are others than before; and the whole page anew when the run has ended.

const NEWS = 2000;

// Which cases are shown, in the words of the server.
let held = "";

const same = (one) => find(["", one.id, one.model, one.persona, one.client]);

// The case that is open: its state and its list of trials are made anew, and its transcript only where the trial that is
// looked at stands otherwise now.
const grown = async () => {
  const { shown } = state;
  const one = same(state.one);
  if (!one || !shown) return;
  const again = focused([page]);
  const trial = shown.trial && one.trials.find((known) => known.n === shown.trial.n);
  state.one = one;
  if (trial && trial.o === shown.trial.o && trial.at === shown.trial.at) {
    const others = besides(one, trial, shown.transcript);
    Object.assign(shown, { trial, others, around: around(one) });
    document.getElementById("about").replaceWith(aboutCase(one, trial, shown.transcript, shown));
    const beside = document.getElementById("beside");
    if (beside && beside !== document.activeElement) beside.replaceChildren(...besideOptions(others, shown.choice.beside));
  } else if (trial || one.trials.length) {
    const [from, turn, near] = [window.scrollY, state.turn, around(one)];
    const choice = trial ? { ...shown.choice, trial: trial.n } : shown.choice;
    const next = await showCase(page, one, choice, near, () => turn === state.turn);
    if (!next) return;
    state.shown = { ...next, choice, around: near };
    window.scrollTo(0, from);
  }
  again();
};

// The cases as they are now. What has the focus and what is looked at stays, and so do filters and what was searched.
const renewed = async () => {
  const answer = await fetch(`${INDEX.api}/index`, { cache: "no-store", headers: { "if-none-match": held } });
  if (!answer.ok) return;
  INDEX = await inflated(await answer.blob());
  held = answer.headers.get("etag") || "";
  const { deep } = state.filter;
  if (deep) state.filter = { ...state.filter, deep: { ...deep, found: new Set([...deep.found].map(same).filter(Boolean)) } };
  // A list of choices that is open would close.
  const choosing = section.filters.contains(document.activeElement) && document.activeElement.tagName === "SELECT";
  const again = focused([section.filters, section.table, section.pager]);
  list(choosing);
  again();
  if (state.one) await grown();
};

const follow = async () => {
  await started;
  const live = document.getElementById("live");
  if (!INDEX.running || !live) return;
  for (;;) {
    try {
      const now = await asked(INDEX.api);
      const { passed, failed, invalid, skipped, unscored } = now.counts;
      const ended = passed + failed + invalid + skipped + unscored;
      live.textContent = `${now.state}: ${number(ended)} of ${count(now.planned, "trial")}, ${number(passed)} passed, `
        + `${number(failed)} failed, ${number(invalid)} invalid${skipped ? `, ${number(skipped)} skipped` : ""}`;
      if (now.state !== "running") {
        if (!state.one) location.reload();
        await renewed();
        live.append(" ", el("button", { type: "button", on: { click: () => location.reload() } }, "load the whole report"));
        return;
      }
      if (held !== `"${now.tag}"`) await renewed();
    } catch (error) {
      live.textContent = `no news: ${error.message || error}`;
    }
    await new Promise((done) => setTimeout(done, NEWS));
  }
};
follow();
