// Opens the page of a running `interrogate serve` in headless Chromium and uses it as a
// person would.
//
//     node check.mjs URL [SHOTS] [--from-disk]
//
// Needs playwright-core, a Chromium at /usr/bin/chromium (or $CHROMIUM) and python3. Every
// step prints what it found; the first that fails ends the run with code 1. With SHOTS,
// screenshots are saved in that folder. --from-disk takes the page's files from the source
// tree, so that a change needs no build.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { behindPrefix, contrast, fromDisk, parseCsv } from "./helpers.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const args = process.argv.slice(2);
const [address, shots] = args.filter((arg) => !arg.startsWith("--"));
const url = new URL(address).href;
const photos = join(root, "tests/fixtures/photos");
const photo = (name) => join(photos, `${name}.jpg`);
const folder = mkdtempSync(join(tmpdir(), "page-"));
if (shots) mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const context = await browser.newContext({
  viewport: { width: 1280, height: 900 },
  colorScheme: "light",
  permissions: ["clipboard-read", "clipboard-write"],
  acceptDownloads: true,
});
if (args.includes("--from-disk")) await fromDisk(context, url, root);

const messages = [];
const requested = [];
const watch = (opened) => {
  opened.on("console", (message) => messages.push(message.text()));
  opened.on("pageerror", (error) => messages.push(String(error.stack)));
  opened.on("request", (request) => requested.push(request.url()));
};
context.on("page", watch);
await context.addInitScript(() => {
  window.refused = [];
  document.addEventListener("securitypolicyviolation", (e) => window.refused.push(e.violatedDirective));
  window.addresses = new Set();
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    const made = createObjectURL(blob);
    window.addresses.add(made);
    return made;
  };
  URL.revokeObjectURL = (made) => {
    window.addresses.delete(made);
    revokeObjectURL(made);
  };
});
const page = await context.newPage();

const step = async (name, check) => {
  const began = Date.now();
  try {
    const saw = await check();
    console.log(`ok    ${name}${saw === undefined ? "" : `: ${saw}`} (${Date.now() - began} ms)`);
  } catch (error) {
    console.log(`FAIL  ${name}\n${error.stack}`);
    console.log(messages.join("\n"));
    if (shots) await page.screenshot({ path: join(shots, "failed.png"), fullPage: true });
    await browser.close();
    process.exit(1);
  }
};
const shot = async (name, options = {}) => {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), ...options });
};
const open = async () => {
  await page.goto(url);
  await page.waitForSelector("#modes input");
};
const tab = (name) => page.locator(`#tab-${name}`).click();
const setMode = (name) => page.locator(`#modes label:has(input[value=${name}])`).click();
const said = () => page.locator("#said").textContent();
const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
const written = () => page.waitForSelector("#result .prompt:not(.live) .copy", { timeout: 60_000 });
const prompt = () => page.locator("#result .prompt p").innerText();
const fails = (pattern) => page.waitForFunction(
  (text) => new RegExp(text, "i").test(document.querySelector("main [role=alert]:not(:empty)")?.innerText ?? ""),
  pattern.source, { timeout: 30_000 },
);
// Drops or pastes `files`, [[name, type, base64], ...], on the page.
const give = (event, files) => page.evaluate(([event, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const options = { bubbles: true, cancelable: true };
  if (event === "paste") {
    document.body.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
  } else {
    document.body.dispatchEvent(new DragEvent("dragover", { ...options, dataTransfer: transfer }));
    document.body.dispatchEvent(new DragEvent("drop", { ...options, dataTransfer: transfer }));
  }
}, [event, files]);
const bytesOf = (name) => readFileSync(photo(name)).toString("base64");
const saved = async (selector) => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
  const path = join(folder, download.suggestedFilename());
  await download.saveAs(path);
  return path;
};
const idle = () => page.waitForSelector("#batch-stop", { state: "hidden", timeout: 120_000 });
const problem = (status, detail, headers = {}) => (route) => route.fulfill({
  status, headers: { "content-type": "application/problem+json", ...headers }, body: JSON.stringify({ status, detail }),
});

await step("the page loads, with everything from the server itself", async () => {
  const response = await page.goto(url);
  const policy = response.headers()["content-security-policy"];
  for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"]) {
    assert.ok(policy.includes(part), policy);
  }
  assert.doesNotMatch(policy, /unsafe/);
  await page.waitForSelector("#modes input");
  assert.deepEqual(requested.filter((asked) => !asked.startsWith(url)), []);
  assert.deepEqual(messages, []);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
  return `${requested.length} requests, first paint ${paint?.toFixed(0)} ms, ${await page.locator("#model").innerText()}`;
});

await step("the policy forbids foreign requests, inline script and inline style", async () => {
  const tried = await page.evaluate(async () => {
    const fetched = await fetch("https://example.org/").then(() => "fetched", () => "refused");
    const script = document.createElement("script");
    script.textContent = "document.title = 'attacked'";
    document.body.append(script);
    const styled = document.createElement("p");
    styled.setAttribute("style", "color: red");
    document.body.append(styled);
    const color = getComputedStyle(styled).color;
    styled.remove();
    script.remove();
    return { fetched, color, title: document.title };
  });
  assert.equal(tried.fetched, "refused");
  assert.notEqual(tried.color, "rgb(255, 0, 0)");
  assert.notEqual(tried.title, "attacked");
  const refused = await page.evaluate(() => window.refused);
  for (const directive of ["connect-src", "script-src-elem", "style-src-attr"]) assert.ok(refused.includes(directive), String(refused));
  return refused.join(", ");
});
requested.length = 0; // the refusals above are intended
messages.length = 0;
await open();

await step("empty states", async () => {
  assert.ok(await page.locator("#write").isDisabled());
  await shot("prompt-empty");
  await tab("analyze");
  assert.ok(await page.locator("#analyze").isDisabled());
  await tab("batch");
  assert.ok(await page.locator("#batch-start").isDisabled());
  await shot("batch-empty");
  await tab("prompt");
});

await step("an image can be chosen, pasted and dropped", async () => {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.click("#choose")]);
  await chooser.setFiles(photo("coffee"));
  await page.waitForSelector("#preview:not([hidden])");
  assert.match(await page.locator("#file").innerText(), /coffee\.jpg\s+600 × 400/);
  await give("paste", [["image.png", "image/png", bytesOf("rocket")]]);
  await page.waitForFunction(() => /pasted-1/.test(document.querySelector("#file-name").textContent));
  await give("drop", [["cat.jpg", "image/jpeg", bytesOf("cat")]]);
  await page.waitForFunction(() => document.querySelector("#preview").naturalWidth === 451);
  assert.equal(await page.locator("#drop-cover").isHidden(), true);
  const live = await page.evaluate(() => window.addresses.size);
  assert.equal(live, 1, "object URLs of earlier images are revoked");
});

for (const mode of ["seed", "classic", "fast"]) {
  await step(`mode ${mode} writes a prompt`, async () => {
    await setMode(mode);
    await page.click("#write");
    await written();
    const text = await prompt();
    assert.ok(text.length > 0);
    assert.equal(await page.locator("#result .marks .mode").first().innerText(), mode);
    await page.locator("#result .prompt .copy").click();
    await page.waitForSelector("#result .prompt .copy.done");
    assert.equal(await clipboard(), text);
    await shot(`prompt-${mode}`, { fullPage: true });
    return `"${text.slice(0, 60)}"`;
  });
}

await step("a seed prompt shows medium, movement and flavors, with bars by score", async () => {
  await setMode("seed");
  await page.click("#write");
  await page.waitForFunction(() => document.querySelector("#result .marks .mode")?.textContent === "seed");
  const tables = await page.locator("#result h3").allInnerTexts();
  assert.deepEqual(tables.slice(0, 3), ["medium", "movement", "flavors"]);
  const shares = await page.locator("#result .bars li").evaluateAll((bars) => bars.map((bar) =>
    [Number(bar.style.getPropertyValue("--share")), Number(bar.querySelector("data").value)]));
  const scale = shares[0][1] / shares[0][0];
  for (const [share, score] of shares) assert.ok(Math.abs(share - Math.min(1, score / scale)) < 2e-3, `${share} ${score}`);
  const label = page.locator("#result .bars button").first();
  await label.click();
  await page.waitForFunction(() => document.querySelector("#result .bars data.done"));
  assert.equal(await clipboard(), await label.innerText());
  return tables.join(", ");
});

await step("own text, max flavors and a prefix are used", async () => {
  await page.locator("#caption-choices label:has(input[value=text])").click();
  await page.fill("#caption-text", "a cat that looks away");
  await page.locator("#more summary").click();
  await page.fill("input[name=max_flavors]", "1");
  await page.fill("input[name=prefix]", "sks");
  await page.click("#write");
  await page.waitForFunction(() => /^sks/.test(document.querySelector("#result .prompt bdi")?.textContent ?? ""));
  const text = await prompt();
  assert.match(text, /a cat that looks away/);
  assert.equal(await page.locator("#result section:has(h3:has-text('flavors')) li").count(), 1);
  await page.fill("input[name=max_flavors]", "-1");
  await page.click("#write");
  assert.equal(await page.evaluate(() => document.activeElement.name), "max_flavors");
  await shot("prompt-options", { fullPage: true });
  await page.fill("input[name=max_flavors]", "");
  await page.fill("input[name=prefix]", "");
  await page.locator("#more summary").click();
  return `"${text}"`;
});

await step("mode caption writes the own text alone", async () => {
  await setMode("caption");
  await page.click("#write");
  await page.waitForFunction(() => document.querySelector("#result .marks .mode")?.textContent === "caption");
  assert.equal(await prompt(), "a cat that looks away");
  await page.locator("#caption-choices label:has(input[value=none])").click();
});

await step("mode best shows its chain live, and Stop ends the request", async () => {
  await setMode("best");
  await page.click("#write");
  await page.waitForFunction(() => /^Step \d/.test(document.querySelector("#result .progress p")?.textContent ?? ""), null, { timeout: 120_000 });
  const seen = new Set();
  const until = Date.now() + 60_000;
  while (seen.size < 3 && Date.now() < until) {
    const line = await page.locator("#result .progress p").textContent({ timeout: 1000 }).catch(() => null);
    if (line === null) break;
    seen.add(line);
    await page.waitForTimeout(50);
  }
  assert.ok(seen.size >= 2, "the progress changes");
  await page.waitForSelector("#result .prompt.live:not([hidden])", { timeout: 60_000 });
  await shot("chain");
  const ended = page.waitForEvent("requestfailed", { timeout: 10_000 });
  await page.click("#stop");
  assert.match((await ended).failure().errorText, /ABORTED/);
  assert.match(await page.locator("#result").innerText(), /Stopped[^]*so far/);
  assert.ok((await prompt()).length > 0, "the prompt so far stays");
  await shot("stopped");
  assert.ok(await page.locator("#write").isEnabled());
  assert.equal(await page.evaluate(() => document.activeElement.id), "write");
  return [...seen].at(-1);
});

await step("another image cancels the request of the first", async () => {
  await page.click("#write");
  await page.waitForSelector("#result .progress");
  const ended = page.waitForEvent("requestfailed", { timeout: 10_000 });
  await give("drop", [["rocket.jpg", "image/jpeg", bytesOf("rocket")]]);
  assert.match((await ended).failure().errorText, /ABORTED/);
  assert.equal(await page.locator("#file-name").textContent(), "rocket.jpg");
  assert.equal(await page.locator("#result .progress").count(), 0);
});

await step("short chains run to their end", async () => {
  const texts = [];
  for (const mode of ["negative", "best"]) {
    await setMode(mode);
    assert.equal(await page.locator("#captions").isHidden(), mode === "negative");
    await page.locator("#more").evaluate((more) => { more.open = true; });
    await page.fill("input[name=max_flavors]", "2");
    await page.fill("input[name=min_flavors]", "1");
    await page.fill("input[name=chain_candidates]", "64");
    await page.click("#write");
    await page.waitForFunction((mode) => document.querySelector("#result .marks .mode")?.textContent === mode, mode, { timeout: 120_000 });
    assert.match(await page.locator("#result .marks").innerText(), /score -?\d\.\d{4}/);
    texts.push(`${(await page.locator("#result .marks").innerText()).replace(/\s+/g, " ")}: "${await prompt()}"`);
    await shot(mode);
  }
  assert.match(texts[1], / won /);
  for (const name of ["max_flavors", "min_flavors", "chain_candidates"]) await page.fill(`input[name=${name}]`, "");
  await page.locator("#more summary").click();
  await setMode("seed");
  return texts.join("; ");
});

await step("Analyze shows every table, with the chosen number of labels", async () => {
  const tables = Number(await page.evaluate(async () => (await (await fetch("v1/info")).json()).tables.length));
  await tab("analyze");
  await page.fill("#k", "7");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#analysis .tables", { timeout: 60_000 });
  assert.equal(await page.locator("#analysis h3").count(), tables);
  assert.equal(await page.locator("#analysis .bars").first().locator("li").count(), 7);
  await page.locator("#analysis .copy").first().click();
  await page.waitForSelector("#analysis .copy.done");
  const labels = await page.locator("#analysis .bars").first().locator("button").allInnerTexts();
  assert.equal(await clipboard(), labels.join(", "));
  await shot("analyze", { fullPage: true });
  await page.fill("#k", "5");
  return `${tables} tables`;
});

await step("a text file that is named .jpg is refused in words", async () => {
  await tab("prompt");
  await give("drop", [["notes.jpg", "image/jpeg", btoa("this is not an image")]]);
  await page.waitForSelector("#no-preview:not([hidden])");
  await page.click("#write");
  await fails(/notes\.jpg/);
  const text = await page.locator("#result [role=alert]").innerText();
  await shot("refused");
  await tab("analyze");
  await page.click("#analyze");
  await page.waitForSelector("#analysis [role=alert]");
  await tab("prompt");
  return text.replace(/\s+/g, " ");
});
messages.length = 0; // the browser reports the status

await step("a file above the server's limit is refused before the upload", async () => {
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(25 * 2 ** 20)], "huge.png", { type: "image/png" }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  });
  await page.waitForFunction(() => document.querySelector("#file-name").textContent === "huge.png");
  requested.length = 0;
  await page.click("#write");
  await fails(/too large: 25\.0 MiB/);
  assert.deepEqual(requested.filter((asked) => asked.includes("v1/")), []);
});

await step("a photo of 4,000 x 3,000 pixels is shown and read", async () => {
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(4000, 3000);
    const paint = canvas.getContext("2d");
    for (let at = 0; at < 3000; at += 1) {
      paint.fillStyle = `hsl(${(at * 37) % 360} 60% ${30 + (at % 50)}%)`;
      paint.fillRect((at * 911) % 4000, (at * 577) % 3000, 300, 200);
    }
    const blob = await canvas.convertToBlob({ type: "image/png" });
    const transfer = new DataTransfer();
    transfer.items.add(new File([blob], "large.png", { type: "image/png" }));
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  });
  await page.waitForFunction(() => /4,000 × 3,000/.test(document.querySelector("#file-facts").textContent));
  await page.click("#write");
  await written();
  return page.locator("#file-facts").innerText();
});

await step("a full queue is waited for and asked again", async () => {
  let refusals = 1;
  await page.route("**/v1/prompt", (route) =>
    refusals-- > 0 ? problem(429, "the queue is full", { "retry-after": "2" })(route) : route.fallback());
  await page.click("#write");
  await page.waitForFunction(() => /busy.*2 s/.test(document.querySelector("#result").innerText));
  await written();
  await page.unroute("**/v1/prompt");
});

await step("without the server, clear words and Retry", async () => {
  await page.route("**/v1/**", (route) => route.abort("connectionrefused"));
  await page.click("#write");
  await fails(/does not answer/);
  await shot("gone");
  await page.reload();
  await fails(/does not answer/);
  await shot("gone-at-start");
  await page.unroute("**/v1/**");
  await page.locator("#startup button").click();
  await page.waitForSelector("#modes input");
  assert.equal(await page.locator("#startup").innerText(), "");
  await page.setInputFiles("#pick-one", photo("cat"));
  await page.route("**/v1/prompt", (route) => route.fulfill({
    headers: { "content-type": "text/event-stream" },
    body: 'event: progress\ndata: {"step":1,"steps":2,"scored":0,"candidates":9,"prompt":"a","score":null}\n\n',
  }));
  await page.click("#write");
  await fails(/does not answer/);
  assert.equal(await prompt(), "a", "the prompt so far stays");
  await page.unroute("**/v1/prompt");
  await page.locator("#result .problem button").click();
  await page.waitForSelector("#result .marks");
});

await step("a problem of a stream is shown with its hint", async () => {
  await page.route("**/v1/prompt", (route) => route.fulfill({
    headers: { "content-type": "text/event-stream" },
    body: 'event: error\ndata: {"status":503,"title":"x","detail":"the deadline has passed","hint":"ask for fewer flavors"}\n\n',
  }));
  await page.click("#write");
  await fails(/the deadline has passed\s+ask for fewer flavors\s+Retry/);
  await page.unroute("**/v1/prompt");
});

await step("a server with a key: the page asks for it and keeps it for the session", async () => {
  const sent = [];
  await page.route("**/v1/**", (route) => {
    const key = route.request().headers().authorization;
    sent.push(key);
    return key === "Bearer right" ? route.fallback() : problem(401, "missing or wrong key")(route);
  });
  await page.reload();
  await page.waitForSelector("#key[open]");
  assert.equal(await page.getAttribute("#key-text", "type"), "password");
  await page.fill("#key-text", "wrong");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => /refuses this key/.test(document.querySelector("#key-error").textContent));
  await shot("key");
  await page.fill("#key-text", "right");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#modes input");
  await page.setInputFiles("#pick-one", photo("cat"));
  await page.click("#write");
  await written();
  await page.reload();
  await page.waitForSelector("#modes input");
  await page.unroute("**/v1/**");
  await page.evaluate(() => sessionStorage.clear());
  return [...new Set(sent)].join(", ");
});

await step("a tagger and a caption model add a mode and a choice", async () => {
  const info = await page.evaluate(async () => (await fetch("v1/info")).json());
  await page.route("**/v1/info", (route) => route.fulfill({
    json: { ...info, tagger: "wd-vit-v3", caption_model: "blip-large", model: { ...info.model, notice: null } },
  }));
  await page.route("**/v1/tag", (route) => route.fulfill({
    headers: { "content-type": "text/event-stream" },
    body: `event: result\ndata: ${JSON.stringify({
      image: "cat.jpg", tags: "1cat, <b>solo</b>", rating: { tag: "general", score: 0.9 }, characters: [],
      general: [{ tag: "1cat", score: 0.98 }, { tag: "<b>solo</b>", score: 0.7 }],
    })}\n\nevent: done\ndata: {}\n\n`,
  }));
  await open();
  assert.ok(await page.locator("input[value=model]").isChecked());
  await page.setInputFiles("#pick-one", photo("cat"));
  await setMode("tags");
  assert.ok(await page.locator("#captions").isHidden());
  await page.locator("#more summary").click();
  await page.fill("input[name=general_threshold]", "0.5");
  const [request] = await Promise.all([page.waitForRequest("**/v1/tag"), page.click("#write")]);
  assert.match(request.postDataBuffer().toString("latin1"), /name="general_threshold"\r\n\r\n0\.5/);
  await written();
  assert.equal(await prompt(), "1cat, <b>solo</b>");
  const shares = await page.locator("#result .bars li:has(data)").evaluateAll((bars) => bars.map((bar) => Number(bar.style.getPropertyValue("--share"))));
  assert.deepEqual(shares, [0.9, 0.98, 0.7], "bars of tags run to 1");
  await shot("tags");
  await page.unroute("**/v1/info");
  await page.unroute("**/v1/tag");
});
messages.length = 0;

await step("server-sent events are read however they arrive", async () => {
  const read = await page.evaluate(async () => {
    const { events } = await import(new URL("page/events.js", document.baseURI).href);
    const parse = async (chunks) => {
      const encoder = new TextEncoder();
      const body = new ReadableStream({
        start: (controller) => {
          chunks.forEach((chunk) => controller.enqueue(encoder.encode(chunk)));
          controller.close();
        },
      });
      const all = [];
      for await (const { event, data } of events(body)) all.push(`${event}=${data}`);
      return all;
    };
    const text = ": hello\r\nevent: a\r\ndata: 1\r\ndata:2\r\n\r\ndata: 3\n\nid: 7\rdata: é\r\r\nevent: lost\ndata: x\n";
    return [await parse([text]), await parse(Array.from(text))];
  });
  assert.deepEqual(read[0], ["a=1\n2", "message=3", "message=é"]);
  assert.deepEqual(read[1], read[0]);
});

await step("CSV cells and names in archives are safe", async () => {
  const made = await page.evaluate(async () => {
    const { csvOf, textFilesOf } = await import(new URL("page/csv.js", document.baseURI).href);
    const row = (name, text) => ({ name, text, row: { caption: null, medium: { label: "a, b" }, flavors: [{ label: "x" }, { label: "y" }] } });
    const names = ["a.jpg", "a.png", "A.webp", "../../etc/passwd.png", "C:\\x\\b.jpg", "/abs/c.jpg", ".hidden", "..", "d/e.jpg", "a.jpg"];
    return [
      csvOf([row("=cmd.png", '=1+1 "quoted"'), row("b.png", "-two\nlines"), row("c.png", "@x")]),
      textFilesOf(names.map((name) => row(name, ""))).map(([name]) => name),
    ];
  });
  assert.deepEqual(parseCsv(made[0]), [
    ["image", "prompt", "caption", "medium", "movement", "flavors"],
    ["'=cmd.png", "'=1+1 \"quoted\"", "", "a, b", "", "x; y"],
    ["b.png", "'-two\nlines", "", "a, b", "", "x; y"],
    ["c.png", "'@x", "", "a, b", "", "x; y"],
  ]);
  assert.deepEqual(made[1], [
    "a.txt", "a.png.txt", "A.webp.txt", "etc/passwd.txt", "C_/x/b.txt", "abs/c.txt", ".hidden.txt", "image.txt", "d/e.txt", "a.jpg.txt",
  ]);
});

const HOSTILE = "<img src=x onerror=alert(1)>.png";
// Rows out of view have no innerText: read textContent.
const batch = () => {
  const names = ["cat", "coffee", "rocket", "astronaut"];
  const files = Array.from({ length: 27 }, (_, at) => [`photo ${at + 1}.jpg`, "image/jpeg", bytesOf(names[at % 4])]);
  return [
    ...files,
    [HOSTILE, "image/png", bytesOf("cat")],
    ["=HYPERLINK(\"x\").jpg", "image/jpeg", bytesOf("coffee")],
    ["notes.jpg", "image/jpeg", btoa("no image")],
  ];
};

await step("a batch of 30 images, two at a time, one of them no image", async () => {
  await open();
  await give("drop", batch());
  await page.waitForFunction(() => document.querySelectorAll("#row-list tr").length === 30);
  assert.equal(await page.getAttribute("#tab-batch", "aria-selected"), "true");
  let now = 0;
  let most = 0;
  const begin = (request) => { if (request.url().includes("v1/prompt")) most = Math.max(most, ++now); };
  const end = (request) => { if (request.url().includes("v1/prompt")) now -= 1; };
  page.on("request", begin);
  page.on("requestfinished", end);
  const began = Date.now();
  await page.click("#batch-start");
  await page.waitForFunction(() => /^[1-9]\d? of 30/.test(document.querySelector("#batch-count").textContent));
  await shot("batch-running");
  await idle();
  const took = (Date.now() - began) / 1000;
  page.off("request", begin);
  page.off("requestfinished", end);
  assert.match(await page.locator("#batch-count").innerText(), /^30 of 30 · 1 failed$/);
  assert.equal(await page.locator("#row-list tr.done").count(), 29);
  assert.match(await page.locator("#row-list tr.failed").textContent(), /notes\.jpg/);
  assert.ok(most >= 1 && most <= 3, `${most} requests at a time`); // the event of an end may be late
  await shot("batch", { fullPage: true });
  return `${took.toFixed(1)} s, ${await said()}`;
});
messages.length = 0;

await step("a hostile file name is text", async () => {
  const shown = await page.locator("#row-list tr", { hasText: "onerror" }).locator("bdi").first().textContent();
  assert.equal(shown, HOSTILE);
  assert.equal(await page.locator("#row-list img").count(), 0);
});

await step("the CSV has all results, quoted, without formulas", async () => {
  const rows = parseCsv(readFileSync(await saved("#download-csv"), "utf8"));
  assert.equal(rows.length, 30);
  assert.ok(rows.every((cells) => cells.length === 6));
  assert.ok(rows.some(([name]) => name === HOSTILE));
  assert.ok(rows.some(([name]) => name.startsWith("'=HYPERLINK")));
  const python = "import csv,sys; print(len(list(csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8')))))";
  assert.equal(execFileSync("python3", ["-c", python, join(folder, "prompts.csv")]).toString().trim(), "29");
  return `${rows.length - 1} rows, "${rows[1].slice(0, 2).join(" | ")}"`;
});

await step("the .zip has one .txt for each image", async () => {
  const path = await saved("#download-zip");
  const python = "import json,sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); print(json.dumps([z.testzip(), {n: z.read(n).decode() for n in z.namelist()}]))";
  const [bad, files] = JSON.parse(execFileSync("python3", ["-c", python, path]).toString());
  assert.equal(bad, null);
  assert.equal(Object.keys(files).length, 29);
  const first = await page.locator("#row-list tr").first().locator(".text").textContent();
  assert.equal(files["photo 1.txt"], first);
  assert.ok(Object.hasOwn(files, HOSTILE.replace(".png", ".txt")));
  return Object.keys(files).slice(-2).join(", ");
});

await step("one .txt and Copy all have a line for each image", async () => {
  const text = readFileSync(await saved("#download-txt"), "utf8");
  assert.equal(text.split("\n").length, 30);
  await page.click("#copy-all");
  await page.waitForSelector("#copy-all.done");
  assert.equal(await clipboard(), text);
});

await step("failed images can be tried again", async () => {
  await page.click("#batch-retry");
  await page.waitForFunction(() => /29|30 of 30/.test(document.querySelector("#batch-count").textContent));
  await idle();
  assert.equal(await page.locator("#row-list tr.failed").count(), 1);
  await page.route("**/v1/prompt", (route) => route.fulfill({ json: { results: [{ image: "x", prompt: "mended", mode: "seed", flavors: [] }] } }));
  await page.locator("#row-list tr.failed .action button").click();
  await page.waitForFunction(() => document.querySelectorAll("#row-list tr.done").length === 30);
  await page.unroute("**/v1/prompt");
});
messages.length = 0;

await step("a stopped batch continues with the images that are left", async () => {
  let let_through = 3;
  await page.route("**/v1/prompt", async (route) => {
    if (let_through-- > 0) return route.fulfill({ json: { results: [{ image: "x", prompt: "quick", mode: "seed", flavors: [] }] } });
    await new Promise((done) => setTimeout(done, 60_000));
  });
  await page.click("#batch-start"); // all again
  await page.waitForFunction(() => /^3 of 30/.test(document.querySelector("#batch-count").textContent));
  await page.click("#batch-stop");
  await idle();
  assert.match(await page.locator("#batch-start").innerText(), /Write 27 prompts/);
  await page.unroute("**/v1/prompt");
  await page.route("**/v1/prompt", (route) => route.abort("connectionrefused"));
  await page.click("#batch-start");
  await fails(/does not answer/);
  assert.equal(await page.locator("#row-list tr.failed").count(), 0);
  await shot("batch-gone");
  await page.unroute("**/v1/prompt");
  let refusals = 2;
  await page.route("**/v1/prompt", (route) =>
    refusals-- > 0 ? problem(429, "the queue is full", { "retry-after": "1" })(route)
      : route.fulfill({ json: { results: [{ image: "x", prompt: "quick", mode: "seed", flavors: [] }] } }));
  await page.locator("#batch-alert button").click();
  await idle();
  assert.match(await page.locator("#batch-count").innerText(), /^30 of 30$/);
  await page.unroute("**/v1/prompt");
  await page.click("#batch-clear");
  assert.ok(await page.locator("#batch-none").isVisible());
});
messages.length = 0;

await step("1,000 files neither freeze the page nor are decoded at once", async () => {
  const found = await page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const transfer = new DataTransfer();
    for (let at = 0; at < 1000; at += 1) transfer.items.add(new File([bytes], `many ${at}.jpg`, { type: "image/jpeg" }));
    let decoded = 0;
    const { createImageBitmap } = window;
    window.createImageBitmap = (...given) => {
      decoded += 1;
      return createImageBitmap(...given);
    };
    const began = performance.now();
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
    let longest = 0;
    let last = performance.now();
    while (performance.now() - began < 3000) {
      await new Promise((done) => setTimeout(done, 0));
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    return { longest, decoded, rows: document.querySelectorAll("#row-list tr").length };
  }, bytesOf("cat"));
  assert.equal(found.rows, 1000);
  assert.ok(found.decoded < 60, `${found.decoded} decoded`);
  assert.ok(found.longest < 1500, `${found.longest} ms`);
  await page.route("**/v1/prompt", (route) => route.fulfill({ json: { results: [{ image: "x", prompt: "a cat", mode: "seed", flavors: [{ label: "a" }] }] } }));
  const began = Date.now();
  await page.selectOption("#workers", "4");
  await page.click("#batch-start");
  await page.waitForFunction(() => /^1,000 of 1,000$/.test(document.querySelector("#batch-count").textContent), null, { timeout: 120_000 });
  await idle();
  const took = Date.now() - began;
  await page.unroute("**/v1/prompt");
  const scroll = await page.evaluate(async () => {
    let longest = 0;
    let last = performance.now();
    for (let at = 0; at < 40; at += 1) {
      window.scrollBy(0, 1500);
      await new Promise(requestAnimationFrame);
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }
    window.scrollTo(0, 0);
    return longest;
  });
  return `added with a pause of at most ${found.longest.toFixed(0)} ms, ${found.decoded} thumbnails; ` +
    `1,000 answers of a stub shown in ${(took / 1000).toFixed(1)} s; scrolled, ${scroll.toFixed(0)} ms the longest frame`;
});

await step("a folder can be chosen: images only, in the order of their names", async () => {
  const inside = join(folder, "set");
  mkdirSync(join(inside, "deep"), { recursive: true });
  for (const name of ["10.jpg", "2.jpg", "deep/3.jpg"]) writeFileSync(join(inside, name), readFileSync(photo("cat")));
  writeFileSync(join(inside, "2.txt"), "a cat");
  await page.click("#batch-clear");
  await page.setInputFiles("#pick-folder", inside);
  await page.waitForFunction(() => document.querySelectorAll("#row-list tr").length > 0);
  const names = await page.locator("#row-list th").allTextContents();
  assert.deepEqual(names, ["set/2.jpg", "set/10.jpg", "set/deep/3.jpg"]);
  await page.click("#batch-clear");
  return names.join(", ");
});

await step("About shows model, tables and limits, and links that work", async () => {
  await tab("about");
  const text = await page.locator("#panel-about").innerText();
  for (const word of ["Device", "Precision", "Caption model", "Tagger", "Labels", "Size of a request"]) assert.match(text, new RegExp(word));
  for (const link of await page.locator("#panel-about a").evaluateAll((links) => links.map((a) => a.href))) {
    const response = await context.request.get(link);
    assert.equal(response.status(), 200, link);
  }
  await shot("about", { fullPage: true });
});

await step("it works by keyboard alone", async () => {
  await open();
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.value || document.activeElement.className);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  await shot("skip");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "theme");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "tab-prompt");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await focused(), "tab-about");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "tab-analyze");
  assert.ok(await page.locator("#panel-analyze").isVisible());
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "choose");
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.keyboard.press("Enter")]);
  await chooser.setFiles(photo("astronaut"));
  await page.waitForSelector("#preview:not([hidden])");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "remove");
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "seed");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator("input[name=mode]:checked").inputValue(), "fast");
  await page.waitForTimeout(300);
  await shot("focus");
  await page.keyboard.press("Control+Enter");
  await written();
  const outlines = await page.evaluate(() => Array.from(document.querySelectorAll(
    "button, select, summary, input:not([type=file]), a"), (node) => {
    if (!node.checkVisibility() || node.disabled) return "solid";
    node.focus();
    const shown = node.closest(".choice")?.querySelector("span") ?? node;
    return getComputedStyle(shown).outlineStyle === "solid" ? "solid" : node.outerHTML;
  }).filter((style) => style !== "solid"));
  assert.deepEqual(outlines, []);
  return prompt();
});

await step("tabs, panels and fields have names for screen readers", async () => {
  const found = await page.evaluate(() => {
    const named = (node) => node.ariaLabel || node.labels?.[0]?.innerText || node.innerText || node.title;
    return {
      panels: Array.from(document.querySelectorAll("[role=tabpanel]"), (panel) => document.getElementById(panel.getAttribute("aria-labelledby")).getAttribute("aria-controls") === panel.id),
      unnamed: Array.from(document.querySelectorAll("button, input, select, canvas + *")).filter((n) => n.checkVisibility() && !named(n)).map((n) => n.outerHTML),
      ids: Array.from(document.querySelectorAll("[id]"), (n) => n.id).filter((id, at, all) => all.indexOf(id) !== at),
    };
  });
  assert.deepEqual(found, { panels: [true, true, true, true], unnamed: [], ids: [] });
});

const fill = async () => {
  await open();
  await page.setInputFiles("#pick-one", photo("cat"));
  await setMode("seed");
  await page.click("#write");
  await written();
  await tab("analyze");
  await page.click("#analyze");
  await page.waitForSelector("#analysis .tables");
  await tab("batch");
  await give("drop", [["cat.jpg", "image/jpeg", bytesOf("cat")], [HOSTILE, "image/png", bytesOf("coffee")], ["notes.jpg", "image/jpeg", btoa("no")]]);
  await page.click("#batch-start");
  await page.waitForFunction(() => /^3 of 3/.test(document.querySelector("#batch-count").textContent));
  await idle();
};
const TABS = ["prompt", "analyze", "batch", "about"];
await fill();

await step("text has enough contrast in both color schemes", async () => {
  let least = [Infinity];
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const name of TABS) {
      await tab(name);
      await page.mouse.move(0, 0);
      await page.waitForTimeout(350); // for color transitions
      const found = await page.evaluate(contrast);
      assert.ok(found[0] >= 4.5, `${colorScheme}, ${name}: ${found}`);
      if (found[0] < least[0]) least = [...found, colorScheme, name];
      await shot(`${colorScheme}-${name}`, { fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  return `${least[0].toFixed(1)} to 1 at least (${least.slice(1).join(", ")})`;
});

await step("colors follow the system or the button, also after a reload", async () => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await ground();
  assert.notEqual(light, dark);
  await page.click("#theme");
  assert.equal(await ground(), light);
  await page.click("#theme");
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await ground(), dark);
  await page.reload();
  assert.equal(await ground(), dark);
  await page.click("#theme");
  assert.equal(await ground(), light);
});

await step("motion stops on request", async () => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  const moving = await page.evaluate(() => Array.from(document.querySelectorAll("*")).filter((node) => {
    const style = getComputedStyle(node);
    return style.animationName !== "none" || !/^0s/.test(style.transitionDuration);
  }).length);
  assert.equal(moving, 0);
  await page.emulateMedia({ reducedMotion: "no-preference" });
});

await step("nothing is wider than a phone", async () => {
  await fill();
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 844 });
    for (const name of TABS) {
      await tab(name);
      await page.evaluate(() => window.scrollTo(0, 0));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${name}: ${wide} at ${width}`);
      await page.waitForTimeout(200);
      await shot(`phone-${width}-${name}`, { fullPage: true });
      await page.emulateMedia({ colorScheme: "dark" });
      await page.waitForTimeout(200);
      await shot(`phone-${width}-${name}-dark`, { fullPage: true });
      await page.emulateMedia({ colorScheme: "light" });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
});

await step("it works behind a path prefix", async () => {
  const proxy = await behindPrefix(url, "/tools/words");
  try {
    const other = await context.newPage();
    await other.goto(proxy.url);
    await other.waitForSelector("#modes input");
    await other.setInputFiles("#pick-one", photo("cat"));
    await other.click("#write");
    await other.waitForSelector("#result .prompt:not(.live) .copy", { timeout: 60_000 });
    await other.close();
  } finally {
    proxy.close();
  }
});

await step("no refusal by the policy, no foreign request, no error in the console", async () => {
  assert.deepEqual(await page.evaluate(() => window.refused), []);
  const foreign = requested.filter((asked) => !asked.startsWith(url) && !asked.startsWith("blob:") && !asked.includes("/tools/words/"));
  assert.deepEqual(foreign, []);
  assert.deepEqual(messages.filter((message) => !/status of 422/.test(message)), []);
});

await browser.close();
rmSync(folder, { recursive: true, force: true });
