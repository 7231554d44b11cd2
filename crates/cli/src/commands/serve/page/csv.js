// Results as files.

// RFC 4180. A spreadsheet runs cells that begin with these characters as formulas; the
// apostrophe makes them text.
const cell = (text) => {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

const COLUMNS = ["image", "prompt", "caption", "medium", "movement", "flavors"];

// `results`: [{ name, text, row }, ...]. Flavors are joined by "; ".
export const csvOf = (results) => {
  const lines = results.map(({ name, text, row }) => [
    name,
    text,
    row.caption ?? "",
    row.medium?.label ?? "",
    row.movement?.label ?? "",
    (row.flavors ?? []).map(({ label }) => label).join("; "),
  ]);
  return [COLUMNS, ...lines].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
};

const oneLine = (text) => text.replace(/[\r\n]+/g, " ").trim();

// One text a line, in the order of the images.
export const linesOf = (results) => results.map(({ text }) => `${oneLine(text)}\n`).join("");

// A relative path without "..", drive or control characters.
const safePath = (name) => {
  const parts = name.replaceAll("\\", "/").split("/")
    .map((part) => part.replace(/[\u0000-\u001f\u007f]/g, "_").trim())
    .filter((part) => part !== "" && part !== "." && part !== "..");
  if (parts.length > 0) parts[0] = parts[0].replace(/^([a-z]):/i, "$1_");
  return parts.join("/") || "image";
};

// [name, text] of the text file of each image: photo.txt for photo.jpg. Where two images
// would have the same file, the later one has photo.png.txt, then photo.png (2).txt.
export const textFilesOf = (results) => {
  const taken = new Set();
  return results.map(({ name, text }) => {
    const path = safePath(name);
    const stem = path.replace(/(?<=[^/])\.[^./]+$/, "");
    let file = `${stem}.txt`;
    if (taken.has(file.toLowerCase())) file = `${path}.txt`;
    for (let n = 2; taken.has(file.toLowerCase()); n += 1) file = `${path} (${n}).txt`;
    taken.add(file.toLowerCase());
    return [file, text];
  });
};
