// SPDX-License-Identifier: MIT

// The page in a real browser: log in, move, chat between two pages, buy, kill
// the owner, still there with the same gold.
//
//   node test/browser.mjs [url]
//
// Without a url it starts the game with `go run`. CHROMIUM names the browser,
// /usr/bin/chromium by default; SHOTS a directory for screenshots.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const shots = process.env.SHOTS;
let game, ending = false;

async function start() {
  const dir = fileURLToPath(new URL("../..", import.meta.url));
  game = spawn("go", ["run", ".", "-bots", "30", "-http", "127.0.0.1:0", "-headless"], { cwd: dir, stdio: ["ignore", "pipe", "inherit"], detached: true });
  // The pipe is read to its end: closing it would kill the game with SIGPIPE
  // at the next line that it prints.
  return new Promise((resolve, reject) => {
    let text = "";
    game.stdout.on("data", (chunk) => {
      text += chunk;
      const found = text.match(/http:\/\/[\d.:]+/);
      if (found) resolve(found[0]);
    });
    game.on("exit", (code, signal) => {
      reject(new Error(`the game did not start (${code ?? signal}): ${text}`));
      if (!ending) console.error(`FAIL the game ended by itself: ${code ?? signal}\n${text}`);
    });
  });
}

const state = (page) => page.evaluate(() => {
  const w = window.world;
  return {
    x: w.x, y: w.y, gold: String(w.self?.gold), link: w.link, node: w.playerNode, zoneNode: w.zone?.node, zone: w.zone?.zone,
    frames: w.view.frames, others: w.view.entities.size, bread: w.self?.bag.find((s) => s.item === 1)?.count ?? 0,
    nodes: w.live?.nodes.length ?? 0, up: w.live?.nodes.filter((n) => n.up).length ?? 0,
  };
});

async function enter(browser, url, name, viewport, touch) {
  const context = await browser.newContext({ viewport, hasTouch: touch, isMobile: touch, deviceScaleFactor: touch ? 2 : 1 });
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (err) => page.problems.push(err.message));
  page.on("console", (m) => { if (m.type() === "error" && /Content Security|Refused/.test(m.text())) page.problems.push(m.text()); });
  await page.goto(url);
  await page.fill("#name", name);
  await page.click("#enter");
  await page.waitForFunction(() => window.world.zone && window.world.view.entities.size > 0, null, { timeout: 20_000 });
  return page;
}

async function step(name, fn) {
  const begin = Date.now();
  await fn();
  console.log(`ok  ${name}  (${Date.now() - begin} ms)`);
}

async function run(url, browser) {
  const suffix = Math.floor(Math.random() * 36 ** 4).toString(36);
  let ann, bob;
  await step("log in, two pages, one of them a phone", async () => {
    ann = await enter(browser, url, `Ann-${suffix}`, { width: 1280, height: 800 }, false);
    bob = await enter(browser, url, `Bob-${suffix}`, { width: 390, height: 844 }, true);
  });

  await step("move, and see it on the other page", async () => {
    const before = await state(ann);
    await ann.keyboard.down("KeyD");
    await ann.waitForFunction((x) => window.world.x > x + 30, before.x, { timeout: 10_000 });
    await ann.keyboard.up("KeyD");
    const here = await state(ann);
    await bob.waitForFunction(([name, x, y]) => {
      for (const e of window.world.view.entities.values()) {
        if (e.name === name) return Math.hypot(e.x - x, e.y - y) < 3;
      }
      return false;
    }, [`Ann-${suffix}`, here.x, here.y], { timeout: 10_000 });
  });

  await step("chat between two pages", async () => {
    await ann.keyboard.press("Enter");
    await ann.keyboard.type(`hello from ${suffix}`);
    await ann.keyboard.press("Enter");
    await bob.waitForFunction((text) => document.querySelector("#chat")?.textContent?.includes(text), `hello from ${suffix}`, { timeout: 10_000 });
  });

  let gold;
  await step("buy", async () => {
    const before = await state(ann);
    await ann.evaluate(() => document.activeElement?.blur());
    await ann.click("#open-shop");
    await ann.click("[data-buy='1']");
    await ann.waitForFunction((g) => String(window.world.self.gold) === g, String(Number(before.gold) - 12), { timeout: 10_000 });
    await ann.waitForFunction((n) => (window.world.self.bag.find((s) => s.item === 1)?.count ?? 0) === n, before.bread + 1, { timeout: 10_000 });
    gold = (await state(ann)).gold;
    if (shots) await ann.screenshot({ path: `${shots}/mmo-shop.png` });
    await ann.click(".close");
  });

  const { nodes, node: owner } = await state(ann);
  if (nodes > 1) {
    await step("kill the owner, still there with the same gold", async () => {
      await ann.click(`[data-kill='${owner}']`);
      await ann.click(`[data-kill='${owner}']`);
      await ann.waitForFunction((n) => window.world.live?.nodes.some((x) => x.name === n && !x.up), owner, { timeout: 10_000 });
      if (shots) await ann.screenshot({ path: `${shots}/mmo-kill.png` });
      await ann.waitForFunction((n) => window.world.link === "online" && window.world.playerNode !== n, owner, { timeout: 30_000 });
      const { frames } = await state(ann);
      await ann.waitForFunction((f) => window.world.view.frames > f + 20, frames, { timeout: 30_000 });
      await ann.evaluate(() => window.world.refreshSheet());
      const after = await state(ann);
      assert.equal(after.gold, gold);
      assert.notEqual(after.node, owner);
    });
  } else {
    console.log("--  kill the owner: this is one node, skipped");
  }

  await step("the picture is drawn, on both sizes, without errors", async () => {
    for (const page of [ann, bob]) {
      const { frames } = await state(page);
      await page.waitForFunction((f) => window.world.view.frames > f + 5, frames, { timeout: 15_000 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(wide, false, "the page scrolls sideways");
      assert.deepEqual(page.problems, []);
    }
    if (shots) {
      await ann.screenshot({ path: `${shots}/mmo.png` });
      await bob.screenshot({ path: `${shots}/mmo-phone.png` });
    }
  });
}

let browser, failed = 0;
try {
  const url = process.argv[2] ?? await start();
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  await run(url, browser);
} catch (err) {
  console.error("FAIL", err);
  failed = 1;
} finally {
  await browser?.close();
  ending = true;
  if (game) process.kill(-game.pid, "SIGINT");
}
process.exit(failed);
