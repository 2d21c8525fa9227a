// Light or dark, as the system has it or as somebody chose.

const remember = (key, value) => {
  try {
    if (value === undefined) return localStorage.getItem(`rehearsal.${key}`);
    localStorage.setItem(`rehearsal.${key}`, value);
  } catch {
    // A page opened from disk may have no storage.
  }
  return null;
};

const look = (theme) => {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  remember("theme", theme);
  return theme;
};

// The choice of the look, which is that of the last time.
const looks = () => {
  look(remember("theme"));
  return el("label", {}, "look ", el("select", { on: { change: (event) => look(event.target.value) } },
    ["system", "light", "dark"].map((name) => el("option", { value: name, selected: name === remember("theme") }, name))));
};
