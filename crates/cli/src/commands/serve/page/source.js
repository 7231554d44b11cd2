// The one image that Prompt and Analyze work on.
import { find, number, say, size } from "./dom.js";
import { nameOf } from "./images.js";

let file = null;
let address = "";
const listeners = [];

export const currentImage = () => file;
export const onImage = (listener) => listeners.push(listener);

const show = () => {
  if (address) URL.revokeObjectURL(address);
  address = "";
  const preview = find("#preview");
  preview.hidden = true;
  preview.removeAttribute("src");
  find("#no-preview").hidden = true;
  find("#empty").hidden = file !== null;
  find("#file").hidden = file === null;
  find("#remove").hidden = file === null;
  find("#zone").classList.toggle("filled", file !== null);
  find("#choose").textContent = file === null ? "Choose image" : "Choose another";
  if (file === null) return;
  find("#file-name").textContent = nameOf(file);
  find("#file-facts").textContent = size(file.size);
  address = URL.createObjectURL(file);
  preview.alt = `Preview of ${nameOf(file)}`;
  preview.src = address;
};

export const setImage = (next) => {
  file = next;
  show();
  say(file === null ? "The image is removed." : `${nameOf(file)} is chosen.`);
  listeners.forEach((listener) => listener(file));
};

export const startSource = () => {
  const preview = find("#preview");
  preview.addEventListener("load", () => {
    preview.hidden = false;
    find("#file-facts").textContent =
      `${number(preview.naturalWidth)} × ${number(preview.naturalHeight)}, ${size(file.size)}`;
  });
  preview.addEventListener("error", () => {
    if (file !== null && preview.hasAttribute("src")) find("#no-preview").hidden = false;
  });
  find("#choose").addEventListener("click", () => find("#pick-one").click());
  find("#zone").addEventListener("click", () => find("#pick-one").click());
  find("#remove").addEventListener("click", () => {
    setImage(null);
    find("#choose").focus();
  });
};
