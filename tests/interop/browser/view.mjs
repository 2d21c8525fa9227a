// The viewer of run files in a browser: `node view.mjs PROGRAM SUITES [SCREENSHOTS]`. Makes a project with
// two runs of which the second loses a case, a run of the demo, and a run that goes on while it is looked at. Exits 1 when
// anything does not hold.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { begin, listen } from "./chromium.mjs";

const [program, suites, shots] = process.argv.slice(2);
const { browser, holds, shot, accessible, end } = await begin(shots);
const project = mkdtempSync(join(tmpdir(), "view-"));
process.on("exit", () => rmSync(project, { recursive: true, force: true }));

// A provider that says what it is told to, and waits while the gate is shut.
const provider = { says: () => "All is fine.", open: Infinity, asked: 0 };
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (piece) => { body += piece; });
  request.on("end", async () => {
    const turn = provider.asked += 1;
    while (turn > provider.open) await new Promise((done) => setTimeout(done, 20));
    const prompt = JSON.parse(body).messages.at(-1).content;
    const message = { role: "assistant", content: provider.says(prompt) };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ id: "1", object: "chat.completion", created: 1, model: "m", choices: [{ index: 0, message, finish_reason: "stop" }], usage: { prompt_tokens: 5, completion_tokens: 4, total_tokens: 9 } }));
  });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const write = (path, text) => { mkdirSync(join(project, path, ".."), { recursive: true }); writeFileSync(join(project, path), text); };
write("evals/models/told.yaml", `dialect: openai\nid: m\nbase_url: http://127.0.0.1:${server.address().port}/v1\nretries: 0\n`);
const cases = Array.from({ length: 12 }, (_, at) => `  - {id: case-${at}, prompt: Is ${at} fine?, expect: [{answer_contains: fine}]}`);
write("suites/told.yaml", `version: 1\nname: told\ntarget: {command: [rehearsal, demo-server], transport: stdio}\nauth: {issuer: none}\npersonas: [anonymous]\nmodels: [told]\ntrials: 3\ncases:\n${cases.join("\n")}\n`);
cpSync(join(suites, "bookshop.yaml"), join(project, "suites/bookshop.yaml"));

const run = (...args) => spawn(program, args, { cwd: project, stdio: ["ignore", "pipe", "ignore"] });
const ended = (child) => new Promise((done) => { child.stdout.resume(); child.on("close", done); });
await ended(run("eval", "told"));
provider.says = (prompt) => (prompt.includes("4") ? "<img src=x onerror=alert(1)> is broken." : "All is fine.");
await ended(run("eval", "told"));
await ended(run("eval", "bookshop", "-k", "2"));

const viewer = run("view");
const address = (await new Promise((done) => viewer.stdout.once("data", (text) => done(String(text))))).trim();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
const noise = listen(page);
const ready = () => page.waitForSelector("html[data-ready=yes]");
const shown = () => page.waitForFunction(() => document.documentElement.dataset.shown === location.hash);
const themes = async (where, name) => {
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    await accessible(page, `${where}, ${colorScheme}`);
    await shot(page, `${name}-${colorScheme}`);
  }
};

// 1. The list.
await page.goto(address);
await page.waitForURL((url) => !url.search);
await ready();
holds("the token does not stay in the address", !page.url().includes("token"), page.url());
holds("scripts cannot read the cookie", (await page.evaluate(() => document.cookie)) === "");
const list = page.url();
const rows = () => page.$$eval("main tbody tr", (all) => all.length);
await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 3);
await page.waitForFunction(() => document.querySelectorAll("svg.course").length > 0);
holds("rates have intervals", /\d \% \(/.test(await page.textContent("main tbody")), await page.textContent("main tbody"));
holds("a suite with two runs has a course", (await page.$$("svg.course .dot")).length >= 2);
await themes("list", "list");
await page.keyboard.press("/");
await page.keyboard.type("bookshop");
await page.waitForFunction(() => document.querySelectorAll("main tbody tr").length === 1);
holds("a filter is an address", page.url().includes("q=bookshop"));
await page.fill("#search", "");
await page.keyboard.press("Escape");
await page.selectOption("select[data-key=suite]", "told");
holds("a suite is chosen", (await rows()) === 2);
await page.evaluate(() => document.activeElement.blur());
await page.keyboard.press("j");
await page.keyboard.press("x");
await page.keyboard.press("j");
await page.keyboard.press("x");
holds("two are chosen by keys", await page.isEnabled("#compare"));
await page.keyboard.press("?");
holds("? helps", await page.isVisible("dialog"));
await page.keyboard.press("Escape");
await page.waitForTimeout(2500);
holds("the choice and the focus outlast the news", await page.evaluate(() => document.activeElement.matches("input.choose, a.run") && document.querySelectorAll("input.choose:checked").length === 2));

// 2. Two runs.
await page.keyboard.press("c");
await page.waitForURL(/compare/);
await ready();
const text = await page.textContent("main");
holds("the comparison speaks as compare does", text.includes("Did these cases change?") && text.includes("95 % interval") && text.includes("exact stratified test"), text.slice(0, 400));
holds("what was lost is listed", (await page.$$eval("#cells .state", (all) => all.map((one) => one.textContent))).every((what) => what === "lost"));
await themes("comparison", "compare");
await page.click("#cells a.case");
await shown();
holds("transcripts stand side by side", (await page.$$("#trial .pair.unlike")).length > 0 && (await page.$$("#divergence")).length === 1);
holds("differences are marked", (await page.$$("#trial del, #trial ins")).length > 0);
holds("markup of a model is text", (await page.textContent("#trial")).includes("<img src=x") && (await page.$$("#trial img")).length === 0);
holds("one that passed beside one that failed", (await page.$$eval("#trial .tabs [aria-current]", (all) => all.map((one) => one.className))).join() === "pass,fail");
await themes("side by side", "pair");
await page.check("#raw");
await shown();
holds("the wire shows", (await page.$$("#trial .card[data-k=wire]")).length > 0);
await page.evaluate(() => document.activeElement.blur());
await page.keyboard.press("Escape");
await shown();
holds("Esc goes back to the comparison", await page.isVisible("#cells"));

// 3. A run: the page of the report, with transcripts fetched.
await page.goto(`${list}#q=bookshop`);
await ready();
await page.click("a.run");
await ready();
await themes("run", "run");
await page.evaluate(() => { location.hash = document.querySelector("#cases a.case").getAttribute("href"); });
await page.waitForSelector("#trial .card");
holds("a transcript is fetched", (await page.$$("#trial .card")).length > 2);
await page.evaluate(() => { location.hash = "#cases"; });
await page.fill("#search", "le guin");
await page.click("text=search transcripts too");
await page.waitForFunction(() => document.querySelectorAll("#cases tbody tr").length > 0);
holds("transcripts are searched by the server", (await page.$$("#cases tbody tr")).length > 0);

// 4. A run in progress.
provider.asked = 0;
provider.open = 6;
const live = run("eval", "told", "-j", "2");
const over = ended(live);
await page.goto(list);
await page.waitForSelector("main .state[data-state=running]");
await themes("list with a run in progress", "list-live");
await page.click("tr:has(.state[data-state=running]) a.run");
await ready();
await page.waitForFunction(() => /running: 6 of 36 trials/.test((document.getElementById("live") || {}).textContent));
await themes("run in progress", "live");
provider.open = 15;
await page.waitForFunction(() => /running: 15 of 36 trials/.test(document.getElementById("live").textContent));
await page.waitForFunction(() => [...document.querySelectorAll("#cases tbody td.right")].filter((cell) => cell.textContent.startsWith("2/2")).length >= 2);
holds("the table follows the run", true);
const part = await page.$$eval("#cases tbody tr", (all) => all.find((row) => row.querySelector("td.right").textContent.startsWith("1/1")).querySelector("a.case").getAttribute("href"));
await page.fill("#search", "case");
await page.evaluate((href) => { location.hash = href; }, part);
await page.waitForSelector("#trial .card");
await page.focus("#trial .tabs a");
await page.evaluate(() => { document.querySelector("#trial .card").dataset.mine = "yes"; window.scrollTo(0, 30); });
const [tabs, from] = await page.evaluate(() => [document.querySelectorAll("#trial .tabs a").length, window.scrollY]);
provider.open = 35;
await page.waitForFunction((before) => document.querySelectorAll("#trial .tabs a").length > before, tabs);
holds("the trials of the case that is open follow the run", true);
holds("what is read stays: transcript, focus, place", await page.evaluate((y) => document.querySelectorAll("#trial .card[data-mine=yes]").length === 1
  && document.activeElement.matches("#trial .tabs a[aria-current=page]") && window.scrollY === y, from));
await page.evaluate(() => { document.activeElement.blur(); });
await page.keyboard.press("Escape");
await shown();
holds("the filter stays", (await page.inputValue("#search")) === "case");
provider.open = Infinity;
await over;
await page.waitForFunction(() => !document.getElementById("live") && document.documentElement.dataset.ready === "yes", undefined, { timeout: 15000 });
holds("at the end the whole report is there", (await page.textContent("#verdict")).includes("exit 1"), await page.textContent("#verdict"));

// 5. Narrow.
await page.setViewportSize({ width: 320, height: 700 });
for (const [where, name] of [[list, "list"], [page.url(), "run"]]) {
  await page.goto(where);
  await ready();
  await page.waitForTimeout(500);
  holds(`${name}: nothing is wider than 320 pixels`, (await page.evaluate(() => document.documentElement.scrollWidth)) <= 320, String(await page.evaluate(() => document.documentElement.scrollWidth)));
  await shot(page, `${name}-narrow`);
}
await page.goto(list);
await ready();
await page.selectOption("select[data-key=suite]", "told");
for (const box of (await page.$$("input.choose")).slice(0, 2)) await box.check();
await page.click("#compare");
await ready();
holds("comparison: nothing is wider than 320 pixels", (await page.evaluate(() => document.documentElement.scrollWidth)) <= 320);
await shot(page, "compare-narrow");
holds("all of it is silent", noise.length === 0, noise.join("; "));

// 6. Nobody else.
const stranger = await (await browser.newContext()).newPage();
const turned = await stranger.goto(list);
holds("another browser is turned away", turned.status() === 401);
viewer.kill("SIGINT");
holds("Ctrl-C is a good end", (await new Promise((done) => viewer.on("close", done))) === 0);
server.close();
server.closeAllConnections();
await end();
