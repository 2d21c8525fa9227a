// What the walks through pages in a browser share: the browser, what holds, what a page says that it should not, and
// accessibility.
import { chromium } from "playwright-core";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Everything that a silent page does not do. */
export const listen = (page) => {
  const noise = [];
  page.on("console", (message) => noise.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => noise.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => { noise.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  return noise;
};

/** Starts the browser; `end` closes it, says what held, and exits 1 when anything did not. */
export const begin = async (shots) => {
  let [held, failed] = [0, 0];
  const holds = (what, is, detail = "") => {
    if (is) {
      held += 1;
    } else {
      failed += 1;
      console.log(`FAILED ${what} ${detail}`);
    }
  };
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  if (shots) mkdirSync(shots, { recursive: true });
  const shot = async (page, name) => { if (shots) await page.screenshot({ path: join(shots, `${name}.png`) }); };
  const accessible = async (page, where) => {
    await page.evaluate(`${axe}; 0`);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const one of violations) {
      const bad = ["serious", "critical"].includes(one.impact);
      holds(`axe ${where}: ${one.id}`, !bad, `${one.help}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
      if (!bad) console.log(`note: axe ${where}: ${one.id} (${one.impact})`);
    }
    holds(`axe ran ${where}`, true);
  };
  const end = async () => {
    await browser.close();
    console.log(`test result: ${failed ? "FAILED" : "ok"}. ${held} passed; ${failed} failed`);
    process.exit(failed ? 1 : 0);
  };
  return { browser, holds, shot, accessible, end };
};
