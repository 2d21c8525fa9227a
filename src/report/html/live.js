// A run in progress, on a page that is served: its numbers every two seconds, its cases when they are others than before,
// and the whole page anew when the run has ended.

const NEWS = 2000;

// The cases as they are now; what has the focus, and what is looked at, stays.
const renewed = async () => {
  const answer = await fetch(`${INDEX.api}/index`, { cache: "no-store" });
  if (!answer.ok) return;
  INDEX = await inflated(await answer.blob());
  if (state.filter.deep) state.filter = { ...state.filter, deep: null };
  const focus = document.activeElement;
  if (section.filters.contains(focus) && focus.tagName === "SELECT") return;
  const at = section.table.contains(focus) ? focus.getAttribute("href") : null;
  list();
  const again = at && [...section.table.querySelectorAll("a.case")].find((link) => link.getAttribute("href") === at);
  if (again) again.focus();
  if (state.one) {
    const { id, model, persona, client } = state.one;
    state.one = find(["", id, model, persona, client]) || state.one;
  }
};

const follow = async () => {
  await started;
  const live = document.getElementById("live");
  if (!INDEX.running || !live) return;
  let tag = "";
  for (;;) {
    try {
      const now = await asked(INDEX.api);
      const { passed, failed, invalid, skipped, unscored } = now.counts;
      const ended = passed + failed + invalid + skipped + unscored;
      live.textContent = `${now.state}: ${number(ended)} of ${count(now.planned, "trial")}, ${number(passed)} passed, `
        + `${number(failed)} failed, ${number(invalid)} invalid${skipped ? `, ${number(skipped)} skipped` : ""}`;
      if (now.state !== "running") {
        if (!state.one) location.reload();
        live.append(" ", el("button", { type: "button", on: { click: () => location.reload() } }, "load the whole report"));
        return;
      }
      if (now.tag !== tag) {
        await renewed();
        tag = now.tag;
      }
    } catch (error) {
      live.textContent = `no news: ${error.message || error}`;
    }
    await new Promise((done) => setTimeout(done, NEWS));
  }
};
follow();
