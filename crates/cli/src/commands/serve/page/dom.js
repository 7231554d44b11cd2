export const find = (selector, root = document) => root.querySelector(selector);

// Every text enters the page here, as text and never as markup.
export const make = (tag, name = "", text = undefined) => {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined) node.textContent = text;
  return node;
};

export const button = (text, name = "") => {
  const node = make("button", name, text);
  node.type = "button";
  return node;
};

// A text from a file or the server, whose direction of writing affects only itself.
export const bdi = (text) => make("bdi", "", text);

export const number = (n) => n.toLocaleString("en");
export const count = (n, word) => `${number(n)} ${n === 1 ? word : `${word}s`}`;

export const size = (bytes) => {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(0)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
};

// Announced by screen readers, not shown.
export const say = (text) => {
  find("#said").textContent = text;
};

// Runs `change`, which disables or hides the one of two buttons and shows the other. The
// focus would be lost with the first: the other one gets it.
export const swapFocus = (change, one, other) => {
  const had = [one, other].includes(document.activeElement);
  change();
  if (had) (one.hidden || one.disabled ? other : one).focus();
};

// Scrolls as little as needed to show the beginning of `node`.
export const reveal = (node) => {
  const { top } = node.getBoundingClientRect();
  if (top > 0 && top < innerHeight * 0.75) return;
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "start", behavior: isCalm ? "auto" : "smooth" });
};

// Without a secure context (plain http on a network) there is no navigator.clipboard;
// execCommand copies a selection.
export const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = make("textarea", "unseen");
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return copied;
  }
};

const timers = new WeakMap();
const labels = new WeakMap();

// Copies and shows the outcome in `node` for a moment.
export const copyAndShow = async (node, text, said) => {
  if (!labels.has(node)) labels.set(node, node.textContent);
  const copied = await copy(text);
  node.textContent = copied ? "Copied" : "Not copied";
  node.classList.toggle("done", copied);
  say(copied ? said : "The browser refuses to copy. Select the text instead.");
  clearTimeout(timers.get(node));
  timers.set(node, setTimeout(() => {
    node.textContent = labels.get(node);
    node.classList.remove("done");
  }, 1600));
};

// Offers `blob` as a download.
export const download = (name, blob) => {
  const link = make("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};
