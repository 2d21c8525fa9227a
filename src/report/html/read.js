// The data of the page, and the only way in which words of others become part of it: as text.

const make = (space, name, attributes, children) => {
  const node = space ? document.createElementNS(space, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key === "on") {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else if (value === true) {
      node.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      node.setAttribute(key, value);
    }
  }
  for (const child of children.flat(4)) {
    if (child !== null && child !== undefined && child !== false) {
      node.append(typeof child === "object" ? child : document.createTextNode(String(child)));
    }
  }
  return node;
};
const el = (name, attributes, ...children) => make(null, name, attributes, children);
const svg = (name, attributes, ...children) => make("http://www.w3.org/2000/svg", name, attributes, children);

const inflated = async (blob) => JSON.parse(await new Response(blob.stream().pipeThrough(new DecompressionStream("deflate-raw"))).text());

const inflate = async (id) => {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
  return inflated(new Blob([bytes]));
};

// Inflated blocks; the last few are kept.
const blocks = new Map();
const block = (number) => {
  const known = blocks.get(number) || inflate(`b${number}`);
  blocks.delete(number);
  blocks.set(number, known);
  if (blocks.size > 16) blocks.delete(blocks.keys().next().value);
  return known;
};

// What the server of a page answers, as JSON; its own words where it refuses.
const asked = async (address) => {
  const answer = await fetch(address, { cache: "no-store" });
  if (!answer.ok) throw new Error((await answer.text()).trim() || `status ${answer.status}`);
  return answer.json();
};

// A trial with its events; null where it was left out. A file has it in a block, a server hands it out by its key.
const trialOf = async (trial) => {
  if (!trial.at) return null;
  if (typeof trial.at === "string") return asked(`${INDEX.api}/trials/${trial.at}`);
  return (await block(trial.at[0]))[trial.at[1]];
};

const MARKS = new Map([
  ["pass", "✓"], ["flaky", "≈"], ["fail", "✗"], ["security", "⚠"], ["expected-failure", "✓"],
  ["unexpected-pass", "!"], ["undecided", "?"], ["invalid", "?"], ["missing", "·"], ["skipped", "–"], ["none", "·"],
]);
const mark = (state) => MARKS.get(state) || "·";
const chip = (state) => el("span", { class: "state", "data-state": state }, `${mark(state)} ${state}`);

const number = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
const count = (n, noun) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const seconds = (s) => (s < 9.95 ? `${s.toFixed(1)} s` : s < 59.5 ? `${Math.round(s)} s`
  : `${Math.floor(Math.round(s) / 60)} m ${String(Math.round(s) % 60).padStart(2, "0")} s`);

// JSON with line feeds and indents. Only space between its parts changes: no number and no text is read and written
// again, so that what is shown is what was sent.
const pretty = (text) => {
  const t = text.trim();
  if (!/^[[{]/.test(t) || t.length > 200000) return text;
  try {
    JSON.parse(t);
  } catch {
    return text;
  }
  const parts = [];
  let depth = 0;
  const feed = () => parts.push("\n", "  ".repeat(Math.min(depth, 40)));
  for (let i = 0; i < t.length; i += 1) {
    const c = t[i];
    if (c === '"') {
      let end = i + 1;
      while (t[end] !== '"') end += t[end] === "\\" ? 2 : 1;
      parts.push(t.slice(i, end + 1));
      i = end;
    } else if (c === "{" || c === "[") {
      let next = i + 1;
      while (/\s/.test(t[next])) next += 1;
      if (t[next] === "}" || t[next] === "]") {
        parts.push(c, t[next]);
        i = next;
      } else {
        parts.push(c);
        depth += 1;
        feed();
      }
    } else if (c === "}" || c === "]") {
      depth -= 1;
      feed();
      parts.push(c);
    } else if (c === ",") {
      parts.push(c);
      feed();
    } else if (c === ":") {
      parts.push(": ");
    } else if (!/\s/.test(c)) {
      parts.push(c);
    }
  }
  return parts.join("");
};
