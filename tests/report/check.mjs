// Opens a report in headless Chromium and uses it as a person would.
//
//     node check.mjs REPORT.html [SHOTS]
//
// Needs playwright-core and a Chromium at /usr/bin/chromium (or $CHROMIUM). Every step
// prints what it found; the first that fails ends the run with code 1. With SHOTS,
// screenshots are saved in that folder.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [report, shots] = process.argv.slice(2);
const url = pathToFileURL(resolve(report)).href;
const profile = mkdtempSync(join(tmpdir(), "report-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
  viewport: { width: 1280, height: 900 },
  colorScheme: "light",
  permissions: ["clipboard-read", "clipboard-write"],
});
if (shots) mkdirSync(shots, { recursive: true });

const page = browser.pages()[0] ?? (await browser.newPage());
const messages = [];
page.on("console", (message) => messages.push(message.text()));
page.on("pageerror", (error) => messages.push(String(error)));
const requested = [];
page.on("request", (request) => requested.push(request.url()));
await page.addInitScript(() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (e) => window.refused.push(e.violatedDirective));
});

const step = async (name, check) => {
  try {
    const saw = await check();
    console.log(`ok    ${name}${saw === undefined ? "" : `: ${saw}`}`);
  } catch (error) {
    console.log(`FAIL  ${name}\n${error.stack}`);
    await browser.close();
    process.exit(1);
  }
};
const shot = async (name, options = {}) => {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), ...options });
};
const shown = () => page.locator("#cards > .card:not([hidden])").count();
const names = () => page.evaluate(() =>
  Array.from(document.querySelectorAll("#cards > .card:not([hidden]) h2 bdi"), (n) => n.textContent));
const status = () => page.locator("#shown").textContent();
const type = async (text) => {
  await page.fill("#query", text);
  await page.waitForTimeout(120);
};
const count = (text) => Number(text.replaceAll(",", ""));
let total = 0;
let failed = 0;

await step("it opens, and paints before it has loaded", async () => {
  const began = Date.now();
  await page.goto(url);
  const wall = Date.now() - began;
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const { paint, loaded } = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
    loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
  }));
  total = await shown();
  const size = (statSync(report).size / 1e6).toFixed(1);
  return `${total} images, ${size} MB, first paint ${paint.toFixed(0)} ms, loaded ${loaded.toFixed(0)} ms (${wall} ms in all)`;
});

await step("it shows model, index and counts", async () => {
  const facts = await page.locator(".facts").innerText();
  for (const word of ["Model", "Index", "Mode", "Labels", "Images"]) assert.match(facts, new RegExp(word));
  failed = await page.locator(".card.failed").count();
  assert.equal(count(await page.locator("#counts dd").innerText().then((t) => t.split(", ")[0])), total);
  return facts.replace(/\s+/g, " ");
});

await step("nothing from outside has run, and nothing was fetched", async () => {
  assert.notEqual(await page.title(), "attacked");
  assert.deepEqual(await page.evaluate(() => document.querySelectorAll("#cards img:not([src^='data:image/jpeg'])").length), 0);
  assert.deepEqual(requested.filter((u) => !u.startsWith("data:") && u !== url), []);
  const scripts = await page.evaluate(() =>
    Array.from(document.scripts, (s) => s.type).filter((type) => type !== "application/json").length);
  assert.equal(scripts, 1);
});

await step("the policy forbids fetching, images from elsewhere and markup from text", async () => {
  const tried = await page.evaluate(async () => {
    const fetched = await fetch("https://example.org/").then(() => "fetched", () => "refused");
    const image = new Image();
    const drawn = await new Promise((done) => {
      image.onload = () => done("drawn");
      image.onerror = () => done("refused");
      image.src = "https://example.org/x.png";
    });
    let markup = "taken";
    try { document.createElement("p").innerHTML = "<b>x</b>"; } catch { markup = "refused"; }
    return { fetched, drawn, markup };
  });
  assert.deepEqual(tried, { fetched: "refused", drawn: "refused", markup: "refused" });
  const refused = await page.evaluate(() => window.refused);
  for (const directive of ["connect-src", "img-src"]) assert.ok(refused.includes(directive), String(refused));
  return refused.join(", ");
});
messages.length = 0; // the refusals above are intended

await step("labels are drawn near the window and not far from it", async () => {
  await page.waitForSelector(".card .tables");
  const drawn = await page.locator(".card .tables").count();
  assert.ok(drawn > 0);
  if (total > 200) assert.ok(drawn < 80, `${drawn} of ${total}`);
  const bar = await page.locator(".bars li").first().evaluate((li) => {
    const share = Number(li.style.getPropertyValue("--share"));
    const scale = Number(document.querySelector("#cards").dataset.scale);
    return [share, Math.min(1, Number(li.querySelector("data").value) / scale)];
  });
  assert.ok(Math.abs(bar[0] - bar[1]) < 1e-3, String(bar));
  return `${drawn} cards`;
});
await shot("light");
await page.emulateMedia({ colorScheme: "dark" });
await shot("dark");
await page.emulateMedia({ colorScheme: "light" });

await step("a script in a label or a name is text", async () => {
  await type('"<script>"');
  const withLabel = await shown();
  const card = page.locator("#cards > .card:not([hidden])").first();
  if (withLabel > 0) {
    await card.locator(".tables").waitFor();
    assert.match(await card.innerText(), /<\/script><script>/);
  }
  await type('"<img src=x"');
  if ((await shown()) > 0) {
    await page.locator("#cards > .card:not([hidden]) .tables").first().waitFor();
    assert.match(await page.locator("#cards").innerText(), /<img src=x onerror/);
  }
  await shot("scripts");
  assert.notEqual(await page.title(), "attacked");
  await type("");
  return `${withLabel} cards with such a label`;
});

await step("every card shows names and labels as text and adds no element for them", async () => {
  // Labels are drawn near the window: scroll to every card.
  const cards = page.locator("#cards > .card");
  for (let at = 0; at < total; at += 4) await cards.nth(at).scrollIntoViewIfNeeded();
  const found = await page.evaluate(() => {
    const all = Array.from(document.querySelectorAll("#cards *"));
    const attributes = (test) => all.filter((e) => Array.from(e.attributes).some(test)).length;
    return {
      strange: all.filter((e) => /^(iframe|object|embed|form|base|meta|link|animate|math)$/.test(e.localName)).length,
      handlers: attributes(({ name }) => name.startsWith("on")),
      links: attributes(({ name, value }) => /^(href|src|action|formaction)$/.test(name) && /^\s*(javascript|data:text)/i.test(value)),
      drawings: document.querySelectorAll("#cards > .card bdi *:not(.folder)").length,
    };
  });
  assert.deepEqual(found, { strange: 0, handlers: 0, links: 0, drawings: 0 });
  assert.notEqual(await page.title(), "attacked");
  const tried = (await names()).filter((name) => /attacked|\{\{script\}\}|&lt;b&gt;|\n|\ufffd/.test(name));
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForFunction(() => document.querySelector(".bars bdi")?.innerText);
  return `${tried.length} hostile names`;
});

await step("typing filters, by every word, accents aside", async () => {
  const word = (await page.locator(".bars bdi").first().innerText()).split(" ").pop();
  const took = await page.evaluate((word) => new Promise((done) => {
    const query = document.querySelector("#query");
    const status = document.querySelector("#shown");
    const start = performance.now();
    new MutationObserver(() => {
      const filtered = performance.now() - start;
      requestAnimationFrame(() => setTimeout(() => done([filtered, performance.now() - start])));
    }).observe(status, { childList: true });
    query.value = word;
    query.dispatchEvent(new Event("input", { bubbles: true }));
  }), word);
  const some = await shown();
  assert.ok(some > 0 && some <= total);
  assert.match(await status(), some === total ? /image/ : / of /);
  await type("nothing-is-called-so");
  assert.equal(await shown(), 0);
  assert.match(await page.locator("#none").innerText(), /Nothing matches nothing-is-called-so\./);
  await shot("none");
  await page.locator("#none button").click();
  assert.equal(await shown(), total);
  return `"${word}" leaves ${some}; ${took[0].toFixed(0)} ms from the key to the result, 60 of them a delay, ${took[1].toFixed(0)} to the next frame`;
});

if (failed > 0) {
  await step("failures can be seen alone", async () => {
    await page.locator("input[value=failed] + span").click();
    assert.equal(await shown(), failed);
    await shot("failed");
    await page.locator("input[value=all] + span").click();
    assert.equal(await shown(), total);
    return failed;
  });
}

await step("it sorts by name and by a table's score, in both directions", async () => {
  const before = await names();
  await page.selectOption("#sort", "name");
  const sorted = await names();
  const collator = new Intl.Collator("en", { numeric: true });
  assert.deepEqual(sorted, before.toSorted(collator.compare));
  await page.locator("#turn").click();
  assert.deepEqual(await names(), sorted.toReversed());
  await page.locator("#turn").click();
  const tables = await page.locator("#sort option[value^='table ']").evaluateAll((o) => o.map((x) => x.value));
  assert.ok(tables.length > 0);
  const took = await page.evaluate((value) => {
    const sort = document.querySelector("#sort");
    sort.value = value;
    const start = performance.now();
    sort.dispatchEvent(new Event("change"));
    document.body.offsetHeight;
    return performance.now() - start;
  }, tables[0]);
  const scores = await page.evaluate((table) => Array.from(document.querySelectorAll("#cards > .card"), (card) => {
    const data = card.querySelector("script");
    const found = data && JSON.parse(data.textContent).find(({ name }) => name === table);
    return found?.scores[0] ?? -Infinity;
  }), tables[0].slice("table ".length));
  assert.deepEqual(scores, scores.toSorted((a, b) => b - a));
  await page.selectOption("#sort", "order");
  assert.deepEqual(await names(), before);
  return `${tables.length} tables, ${took.toFixed(0)} ms`;
});

await step("the prompt is copied, to the letter", async () => {
  const card = page.locator(".card:has(.copy:enabled)").first();
  const prompt = await card.locator(".prompt p").evaluate((p) => p.textContent);
  await card.locator(".copy").click();
  await page.waitForFunction(() => document.querySelector(".copy.done"));
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), prompt);
  assert.match(await page.locator("#said").textContent(), /is copied/);
  await page.locator("#copy-all").click();
  await page.waitForFunction(() => document.querySelector("#copy-all.done"));
  const all = (await page.evaluate(() => navigator.clipboard.readText())).split("\n");
  return `"${prompt.slice(0, 60)}", and ${all.length} at once`;
});

await step("without the clipboard API the fallback copies", async () => {
  await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("no")); });
  const card = page.locator(".card:has(.copy:enabled)").nth(1);
  await card.locator(".copy").click();
  const prompt = await card.locator(".prompt p").evaluate((p) => p.textContent);
  await page.waitForTimeout(50);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), prompt);
});

await step("it works by keyboard alone", async () => {
  await page.reload();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await shot("skip");
  await page.keyboard.press("Enter");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  const focused = () => page.evaluate(() => document.activeElement.querySelector("h2 bdi")?.textContent);
  const second = await focused();
  assert.equal(second, (await names())[1]);
  await shot("focus");
  await page.keyboard.press("k");
  assert.equal(await focused(), (await names())[0]);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "query");
  await page.keyboard.type("zzzz");
  await page.waitForTimeout(150);
  assert.equal(await shown(), 0);
  await page.keyboard.press("Escape");
  assert.equal(await shown(), total);
  await page.evaluate(() => document.querySelector(".card:has(.copy:enabled)").focus());
  await page.keyboard.press("c");
  await page.waitForFunction(() => document.querySelector(".copy.done"));
  const outline = await page.evaluate(() => {
    document.querySelector("#copy-all").focus();
    return getComputedStyle(document.activeElement).outlineStyle;
  });
  assert.equal(outline, "solid");
  return second;
});

await step("a label, clicked, is searched for", async () => {
  const label = page.locator(".bars button").first();
  const text = await label.innerText();
  await label.click();
  assert.equal(await page.inputValue("#query"), `"${text}"`);
  const some = await shown();
  assert.ok(some > 0);
  await type("");
  return `"${text}": ${some}`;
});

await step("colors follow the system or the button", async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.locator("#theme").click();
  await page.waitForTimeout(200);
  assert.equal(await ground(), light);
  await page.locator("#theme").click();
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await ground(), dark);
  await page.locator("#theme").click();
  assert.equal(await ground(), light);
});

await step("text has enough contrast in both color schemes", async () => {
  let least = Infinity;
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(300); // for color transitions
    const found = await page.evaluate(() => {
      const parse = (color) => color.match(/[\d.]+/g).map(Number);
      const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
      const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
          const color = parse(getComputedStyle(at).backgroundColor);
          if (color.length === 3 || color[3] > 0) return color;
        }
        return parse(getComputedStyle(document.body).backgroundColor);
      };
      const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      // A bar may run below its label and its score.
      const onBars = Array.from(document.querySelectorAll(".bars data, .bars button"), (node) => {
        const bar = getComputedStyle(node.closest("li"), "::before").backgroundColor;
        return [ratio(light(parse(getComputedStyle(node).color)), light(parse(bar))), "on a bar"];
      });
      const nodes = document.querySelectorAll("h1, dt, dd, h2, h2 span, .caption, .prompt p, .error, h3, .bars data, .foot p, .shown, .copy:enabled, .tools button, .tools select");
      return Array.from(nodes).filter((n) => n.checkVisibility()).map((node) => {
        const color = light(parse(getComputedStyle(node).color));
        return [ratio(color, light(behind(node))), node.className || node.tagName];
      }).concat(onBars).sort((a, b) => a[0] - b[0])[0];
    });
    assert.ok(found[0] >= 4.5, `${colorScheme}: ${found}`);
    least = Math.min(least, found[0]);
  }
  return `${least.toFixed(1)} to 1 at least`;
});

await step("nothing is wider than a phone", async () => {
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme: "light" });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${wide} at ${width}`);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.waitForTimeout(150);
    await shot(`phone-${width}`);
    await page.evaluate(() => window.scrollTo(0, 900));
    await page.waitForTimeout(150);
    await shot(`phone-${width}-cards`);
    await page.emulateMedia({ colorScheme: "dark" });
    await shot(`phone-${width}-dark`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
});

await step("the whole list can be scrolled through", async () => {
  await page.evaluate(() => window.scrollTo(0, 0));
  const took = await page.evaluate(async () => {
    const start = performance.now();
    let frames = 0;
    let longest = 0;
    let last = start;
    for (let at = 0; at < 60; at += 1) {
      window.scrollBy(0, 700);
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
      frames += 1;
    }
    return `${frames} screens, ${((last - start) / frames).toFixed(0)} ms each, ${longest.toFixed(0)} ms the longest`;
  });
  await shot("scrolled");
  return took;
});

await step("it prints", async () => {
  await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await page.locator("search").isVisible(), false);
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  await page.evaluate(() => window.scrollTo(0, 0));
  await shot("print");
  await page.emulateMedia({ media: "screen", colorScheme: "light" });
});

await step("it is readable without script", async () => {
  const plain = await browser.browser()?.newContext({ javaScriptEnabled: false });
  if (!plain) {
    const html = readFileSync(report, "utf8");
    assert.match(html, /<noscript>/);
    return "checked as text alone";
  }
  const still = await plain.newPage();
  await still.goto(url);
  assert.equal(await still.locator(".card").count(), total);
  assert.equal(await still.locator(".copy:visible").count(), 0);
  if (shots) await still.screenshot({ path: join(shots, "no-script.png") });
  await plain.close();
});

await step("no console message and no error", () => assert.deepEqual(messages, []));
await browser.close();
rmSync(profile, { recursive: true, force: true });
