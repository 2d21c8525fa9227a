// The HTML report in a browser: `node check.mjs FOLDER [SCREENSHOTS]`. The folder holds golden.html, hostile.html and
// harmless.html, as `cargo test --test html` writes them, and may hold filled.html (`--test filled`) and large.html. Exits 1
// when anything does not hold.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { begin, listen } from "./chromium.mjs";

const [folder, shots] = process.argv.slice(2);
const { browser, holds, shot, accessible, end } = await begin(shots);

// A page that must stay silent: whatever it does beside showing itself is noted.
const open = async (name, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const noise = listen(page);
  page.on("request", (request) => { if (!request.isNavigationRequest() || !request.url().startsWith("file:")) noise.push(`request: ${request.url()}`); });
  page.on("popup", () => noise.push("a window was opened"));
  await page.addInitScript(() => {
    window.OWNED = () => { window.owned = true; };
    document.addEventListener("securitypolicyviolation", (event) => console.log(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  const begun = Date.now();
  await page.goto(pathToFileURL(join(folder, name)).href + (options.hash || ""));
  if (options.javaScriptEnabled !== false) await page.waitForSelector("html[data-ready=yes]");
  return { page, noise, ms: Date.now() - begun, close: () => context.close() };
};
const go = (page, hash) => page.evaluate(async (to) => {
  location.hash = to;
  while (document.documentElement.dataset.shown !== location.hash) await new Promise((done) => setTimeout(done, 4));
}, hash);
const press = async (page, ...keys) => {
  for (const key of keys) await page.keyboard.press(key);
  await page.waitForFunction(() => document.documentElement.dataset.shown === location.hash);
};
// 1. The golden page: it opens, it is silent, it can be worked with.
{
  const { page, noise, close } = await open("golden.html");
  const rows = () => page.$$eval("#cases tbody tr", (all) => all.length);
  const all = await rows();
  await shot(page, "light");
  await accessible(page, "overview, light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, "dark");
  await accessible(page, "overview, dark");

  await page.click("#cases .chips button[data-state=fail]");
  const shown = await page.$$eval("#cases tbody .state", (chips) => chips.map((chip) => chip.dataset.state));
  holds("the filter keeps what fails", shown.length > 0 && shown.length < all && shown.every((state) => state === "fail"), shown.join());
  holds("a filter is a link", (await page.evaluate(() => location.hash)).includes("state=fail"));
  await page.click("#cases .chips button[data-state=fail]");
  await page.keyboard.press("/");
  await page.waitForFunction(() => document.activeElement && document.activeElement.id === "search");
  await page.keyboard.type("28 november");
  holds("search finds a reason", (await rows()) === 1, String(await rows()));
  await page.fill("#search", "getestet, nirgends");
  holds("search finds nothing else", (await rows()) === 0);
  await page.fill("#search", "on its way");
  await page.click("text=search transcripts too");
  await page.waitForFunction((least) => document.querySelectorAll("#cases tbody tr").length > least, 1);
  holds("search reads transcripts", (await rows()) > 1);
  await page.fill("#search", "");
  await page.keyboard.press("Escape");
  await page.click("#cases input[type=checkbox]");
  holds("the grid has a column for the model", (await page.$$eval("#cases thead th", (heads) => heads.map((head) => head.textContent))).includes("lexical"));
  await shot(page, "grid-dark");
  await page.click("#cases input[type=checkbox]");
  await page.keyboard.press("Escape");

  // By keys alone: to a case, its trials, side by side, the wire, back.
  await page.evaluate(() => document.activeElement.blur());
  await go(page, "#case/late-order");
  holds("a deep link opens the case", (await page.textContent("#trial h2")).includes("late-order"));
  holds("a failed trial comes first", (await page.textContent("#trial .tabs [aria-current]")).includes("fail"));
  await accessible(page, "case, dark");
  await shot(page, "case-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await accessible(page, "case, light");
  holds("evidence is marked on its card", (await page.$$("#trial .card .cited")).length > 0);
  holds("time is drawn", (await page.$$("#trial .lane rect")).length > 0);
  holds("no wire at first", (await page.$$("#trial .card[data-k=wire]")).length === 0);
  await press(page, "r");
  holds("r shows the wire", (await page.$$("#trial .card[data-k=wire]")).length > 0);
  await press(page, "r", "d");
  holds("d stands them side by side", (await page.$$("#trial .pair")).length > 3);
  holds("the first difference is marked", (await page.$$("#divergence")).length === 1);
  holds("differences are marked in words", (await page.$$("#trial del, #trial ins")).length > 0);
  await accessible(page, "side by side");
  await shot(page, "diff-light");
  await press(page, "d", "[");
  holds("[ turns to the trial before", (await page.textContent("#trial .tabs [aria-current]")).includes("trial 1"));
  await press(page, "Escape");
  holds("Esc goes back to the cases", await page.isVisible("#cases table"));
  holds("and to where one was", await page.evaluate(() => document.activeElement.textContent === "late-order"));
  const first = await page.evaluate(() => document.activeElement.textContent);
  await press(page, "j");
  holds("j moves on", (await page.evaluate(() => document.activeElement.textContent)) !== first);
  await press(page, "Enter");
  holds("Enter opens", await page.isVisible("#trial h2"));
  await press(page, "n");
  await page.keyboard.press("?");
  holds("? helps", await page.isVisible("dialog"));
  await page.keyboard.press("Escape");
  await press(page, "g", "a");
  holds("g a goes to access", await page.evaluate(() => location.hash === "#access" && !document.getElementById("overview").hidden));
  await page.emulateMedia({ media: "print" });
  holds("print leaves controls out", !(await page.isVisible("#controls")));
  await page.emulateMedia({ media: "screen" });
  holds("the golden page is silent", noise.length === 0, noise.join("; "));
  await close();
}
for (const [hash, name] of [["", "narrow"], ["#case/late-order", "narrow-case"]]) {
  const { page, noise, close } = await open("golden.html", { viewport: { width: 320, height: 700 }, hash });
  holds(`${name}: nothing is wider than the page`, (await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
  holds(`${name} is silent`, noise.length === 0, noise.join("; "));
  await shot(page, name);
  await close();
}
{
  const { page, close } = await open("golden.html", { javaScriptEnabled: false });
  const text = await page.textContent("body");
  holds("without scripts the verdict and the failures stand there", text.includes("Failed") && text.includes("refund_order") && text.includes("need scripts"));
  await close();
}

// 1b. The page in which everything is filled, as people look at it: both themes, a phone, 200 % zoom, paper.
if (existsSync(join(folder, "filled.html"))) {
  const looks = [
    ["light", { colorScheme: "light" }], ["dark", { colorScheme: "dark" }],
    ["narrow", { viewport: { width: 320, height: 700 } }], ["zoomed", { viewport: { width: 640, height: 450 }, deviceScaleFactor: 2 }],
  ];
  for (const [look, options] of looks) {
    const { page, noise, close } = await open("filled.html", options);
    const wide = (options.viewport || { width: 1280 }).width;
    for (const place of ["", "#baseline", "#causes", "#access", "#cases", "#tools", "#quiet", "#case/late-order/gpt-5.6-luna/customer"]) {
      await go(page, place || "#overview");
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth);
      holds(`${look} ${place || "overview"}: nothing is wider than the page`, beyond <= wide, `${beyond} of ${wide}`);
      await shot(page, `filled-${look}-${place.replace(/[^a-z]+/g, "-").replace(/^-/, "") || "overview"}`);
    }
    await accessible(page, `filled case, ${look}`);
    await go(page, "#overview");
    await accessible(page, `filled overview, ${look}`);
    holds(`filled, ${look}, is silent`, noise.length === 0, noise.join("; "));
    await close();
  }
  const { page, close } = await open("filled.html");
  await go(page, "#case/late-order/gpt-5.6-luna/customer/reference/2");
  const text = await page.textContent("#trial");
  holds("the judge's words stand on the case", text.includes("names no day"));
  holds("what the judge cites is marked", (await page.$$("#trial .card .cited")).length > 0);
  await go(page, "#overview");
  await page.emulateMedia({ media: "print" });
  holds("print keeps the verdict and drops the controls", await page.isVisible("#verdict") && !(await page.isVisible("#controls")));
  if (shots) await page.pdf({ path: join(shots, "filled.pdf") });
  await shot(page, "filled-print");
  await close();
}

// 2. Hostile words: the same elements as with harmless ones, and silence.
const skeletons = (page) => page.evaluate(async () => {
  const of = (node) => [...node.querySelectorAll("*")].filter((one) => !["INS", "DEL", "PATH", "SCRIPT"].includes(one.tagName.toUpperCase()))
    .map((one) => `${one.tagName}.${one.getAttribute("class") || ""}[${one.getAttributeNames().sort()}]`).join(" ");
  const shown = async (hash) => {
    location.hash = hash;
    while (document.documentElement.dataset.shown !== location.hash) await new Promise((done) => setTimeout(done, 0));
  };
  const out = [];
  const links = [];
  for (let number = 1; number <= 200; number += 1) {
    await shown(`#cases?sort=urgency&page=${number}`);
    links.push(...[...document.querySelectorAll("#cases a.case")].map((a) => [a.getAttribute("href"), a.textContent]));
    out.push(["overview", of(number === 1 ? document.body : document.getElementById("cases"))]);
    const next = [...document.querySelectorAll(".pager button")].pop();
    if (!next || next.disabled) break;
  }
  for (const [href, id] of links) {
    // Everything that a page of a case can show, at once.
    await shown(`${href}/1?beside=before&raw=1`);
    const said = document.querySelector("#trial h2").textContent;
    out.push([said.endsWith(id) ? "case" : `another case than ${id}`, of(document.getElementById("trial"))]);
  }
  return out;
});
{
  const hostile = await open("hostile.html");
  const harmless = await open("harmless.html");
  const title = await hostile.page.title();
  const [a, b] = [await skeletons(hostile.page), await skeletons(harmless.page)];
  holds("both pages have as many places", a.length === b.length && a.length > 1500, `${a.length} and ${b.length}`);
  const unlike = a.filter(([name, text], at) => !b[at] || name !== b[at][0] || text !== b[at][1]);
  holds("hostile words change no element anywhere", unlike.length === 0, `${unlike.length} places, first: ${(unlike[0] || [])[0]}`);
  holds("nothing has run", !(await hostile.page.evaluate(() => window.owned || {}.polluted)));
  holds("the title is the page's own", (await hostile.page.title()) === title);
  holds("hostile words are silent", hostile.noise.length === 0, hostile.noise.slice(0, 5).join("; "));
  holds("harmless words are silent", harmless.noise.length === 0, harmless.noise.slice(0, 5).join("; "));
  console.log(`${a.length} places compared with hostile and harmless words`);
  await hostile.close();
  await harmless.close();
}

// 3. A large run, if there is one.
if (existsSync(join(folder, "large.html"))) {
  const { page, ms, noise, close } = await open("large.html");
  const timed = async (act) => { const begun = Date.now(); await act(); return Date.now() - begun; };
  const filter = await timed(() => page.fill("#search", "case-00042"));
  const link = await page.getAttribute("#cases a.case", "href");
  const transcript = await timed(() => go(page, link));
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  holds("a large run is painted within a second", paint < 1000, `${paint} ms`);
  console.log(`large: painted after ${Math.round(paint)} ms, ready in ${ms} ms, filter ${filter} ms, transcript ${transcript} ms, ${await page.evaluate(() => document.getElementsByTagName("*").length)} elements`);
  holds("a large run opens soon", ms < 5000, `${ms} ms`);
  holds("a large run is silent", noise.length === 0, noise.join("; "));
  await close();
}
await end();
