// Images from drops, the clipboard and file choosers.
import { find, say } from "./dom.js";

const EXTENSION = /\.(jpe?g|png|webp|gif|bmp|tiff?|avif|jxl|heic|heif|ico|pnm|ppm|qoi|tga|dds|exr|hdr)$/i;
const collator = new Intl.Collator("en", { numeric: true });
const paths = new WeakMap();
let pasted = 0;

const isImage = (file) => file.type.startsWith("image/") || EXTENSION.test(file.name);

// The name to show: the path within a chosen or dropped folder, if there is one.
export const nameOf = (file) => paths.get(file) ?? (file.webkitRelativePath || file.name);

// All entries of a folder: readEntries returns at most 100 at a time.
const entriesOf = async (folder) => {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (some.length === 0) return all;
    all.push(...some);
  }
};

const walk = async (entry, found) => {
  if (entry.isDirectory) {
    for (const child of await entriesOf(entry)) await walk(child, found);
    return;
  }
  const file = await new Promise((done, fail) => entry.file(done, fail));
  if (!isImage(file)) return;
  paths.set(file, entry.fullPath.replace(/^\//, ""));
  found.push(file);
};

// Files of a drop. Files that were dropped themselves are kept whatever they are: the
// server says what is wrong with them. Of a folder, images only.
const filesOf = async (transfer) => {
  // Items are gone after the first await.
  const items = Array.from(transfer.items).filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  const files = items.map((item) => item.getAsFile());
  const found = [];
  for (const [at, entry] of entries.entries()) {
    if (!entry?.isDirectory) {
      if (files[at]) found.push(files[at]);
      continue;
    }
    const inside = [];
    try {
      await walk(entry, inside);
    } catch {
      say(`${entry.name} cannot be read.`);
    }
    inside.sort((a, b) => collator.compare(nameOf(a), nameOf(b)));
    found.push(...inside);
  }
  return found;
};

// Pasted images are all called image.png by browsers.
const renamed = (file) => {
  if (!/^image\.\w+$/.test(file.name)) return file;
  pasted += 1;
  return new File([file], `pasted-${pasted}.${file.name.split(".").pop()}`, { type: file.type });
};

// Calls `onFiles(files)` for every drop and paste on the page, and each choice of files.
export const watchImages = (onFiles) => {
  const cover = find("#drop-cover");
  const hasFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes("Files");
  const give = (files) => {
    if (files.length > 0) onFiles(files);
    else say("There is no image among these files.");
  };

  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    cover.hidden = false;
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) cover.hidden = true;
  });
  document.addEventListener("drop", async (event) => {
    cover.hidden = true;
    if (!hasFiles(event)) return;
    event.preventDefault();
    give(await filesOf(event.dataTransfer));
  });
  document.addEventListener("paste", (event) => {
    const files = Array.from(event.clipboardData?.files ?? []);
    if (files.length === 0) return;
    event.preventDefault();
    give(files.map(renamed));
  });

  for (const id of ["pick-one", "pick-many", "pick-folder"]) {
    const input = find(`#${id}`);
    input.addEventListener("change", () => {
      let files = Array.from(input.files);
      input.value = ""; // so that choosing the same file again is a change
      if (id === "pick-folder") {
        files = files.filter(isImage).sort((a, b) => collator.compare(nameOf(a), nameOf(b)));
      }
      give(files);
    });
  }
};

// ---- thumbnails: decoded small, two at a time ----

const SIDE = 96;
const MOST_AT_ONCE = 2;
const queue = [];
let decoding = 0;

const next = async () => {
  if (decoding >= MOST_AT_ONCE || queue.length === 0) return;
  decoding += 1;
  const { canvas, file } = queue.pop(); // the last asked for is in view
  try {
    const bitmap = await createImageBitmap(file, { resizeWidth: SIDE, resizeQuality: "low" });
    canvas.width = bitmap.width;
    canvas.height = Math.min(bitmap.height, 4 * SIDE);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
  } catch {
    canvas.classList.add("missing");
  }
  decoding -= 1;
  next();
};

export const drawThumbnail = (canvas, file) => {
  queue.push({ canvas, file });
  next();
};
