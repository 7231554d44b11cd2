// Parts of check.mjs that do not use the page.

import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";

const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml" };

// Answers requests for the page and its files from the source tree, with the headers of the server.
export const fromDisk = async (context, url, root) => {
  const folder = join(root, "crates/cli/src/commands/serve/page");
  const { "content-security-policy": policy } = (await context.request.get(url)).headers();
  await context.route((asked) => asked.href.split("#")[0] === url || asked.href.startsWith(`${url}page/`), (route) => {
    const name = new URL(route.request().url()).pathname.split("/").pop() || "index.html";
    const path = name === "report.css" ? join(root, "crates/cli/src/report/report.css") : join(folder, name);
    return route.fulfill({
      headers: { "content-type": TYPES[name.split(".").pop()], "content-security-policy": policy },
      body: readFileSync(path),
    });
  });
};

// A proxy that serves `url` below `prefix`.
export const behindPrefix = async (url, prefix) => {
  const server = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end();
      return;
    }
    const to = new URL(incoming.url.slice(prefix.length + 1), url);
    const passed = request(to, { method: incoming.method, headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on("error", () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}${prefix}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

// Rows of cells, by RFC 4180.
export const parseCsv = (text) => {
  const rows = [];
  let row = [];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
};

// Runs in the page: the least contrast of visible text, and where it is.
export const contrast = () => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const parse = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] > 0.99) return color;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const hasText = Array.from(node.childNodes).some((child) => child.nodeType === 3 && child.data.trim() !== "");
    const hasValue = node.matches("input:not([type=radio], [type=checkbox], [type=file]), select");
    if (!(hasText || hasValue) || !node.checkVisibility({ opacityProperty: true }) || node.closest("script, noscript, dialog:not([open])")) continue;
    const color = light(parse(getComputedStyle(node).color));
    const name = `${node.className || node.tagName} "${node.textContent.slice(0, 30)}"`;
    found.push([ratio(color, light(behind(node))), name]);
    const bar = node.closest(".bars li"); // a bar may run below its label and its score
    if (bar) found.push([ratio(color, light(parse(getComputedStyle(bar, "::before").backgroundColor))), `${name} on a bar`]);
  }
  return found.sort((a, b) => a[0] - b[0])[0];
};
