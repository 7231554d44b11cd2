// The form of prompt settings, shared by Prompt and Batch.
import { find, make } from "./dom.js";

const NOTES = {
  seed: "Caption, medium, movement and three flavors: short and quick.",
  classic: "Caption, medium, artist, trending, movement and flavors, in the order of clip-interrogator.",
  fast: "The caption and the best labels of all tables, ranked as one.",
  best: "Adds phrases as long as the whole text matches the image better. Takes minutes on a CPU; fewer candidates of each step are faster.",
  negative: "A chain of phrases that match the image least, for a negative prompt. Takes minutes on a CPU, like best.",
  caption: "The caption alone.",
};
const OF_32_FLAVORS = ["fast", "best", "negative"]; // the server's default; 3 in the others
const WITHOUT_CAPTION = ["negative", "tags"];

let server = { caption_model: null, tagger: null };
const form = find("#options");

export const mode = () => find("input[name=mode]:checked", form)?.value ?? "seed";
const captionFrom = () => find("input[name=caption-from]:checked", form)?.value ?? "none";

const update = () => {
  const now = mode();
  find("#mode-note").textContent = now === "tags"
    ? `Tags of ${server.tagger}, best first, joined by commas.`
    : NOTES[now] ?? "";
  find("#captions").hidden = WITHOUT_CAPTION.includes(now);
  find("#caption-field").hidden = captionFrom() !== "text";
  find("[name=max_flavors]", form).placeholder = OF_32_FLAVORS.includes(now) ? "32" : "3";
  let fields = 0;
  for (const field of form.querySelectorAll("[data-modes]")) {
    field.hidden = !field.dataset.modes.split(" ").includes(now);
    if (!field.hidden) fields += 1;
  }
  find("#more").hidden = fields === 0;
};

const modeChoice = (name, isFirst) => {
  const label = make("label", "choice");
  const input = make("input");
  input.type = "radio";
  input.name = "mode";
  input.value = name;
  input.checked = isFirst;
  label.append(input, make("span", "", name));
  return label;
};

// `info`: the answer of v1/info. Keeps the chosen mode if the server has it.
export const setServer = (info) => {
  server = info;
  const before = find("input[name=mode]:checked", form)?.value;
  const hasCaptioner = Boolean(info.caption_model);
  const modes = info.modes.slice();
  if (info.tagger) modes.push("tags");
  find("#modes").replaceChildren(...modes.map((name, at) => modeChoice(name, at === 0)));
  for (const input of form.querySelectorAll("input[name=mode]")) {
    if (input.value === before) input.checked = true;
  }
  find("input[value=model]", form).disabled = !hasCaptioner;
  if (!find("input[name=caption-from]:checked", form) || (!hasCaptioner && captionFrom() === "model")) {
    find(`input[name=caption-from][value=${hasCaptioner ? "model" : "none"}]`, form).checked = true;
  }
  find("#caption-note").hidden = hasCaptioner;
  form.hidden = false;
  update();
};

// The route and options of a request, or null after showing what is invalid.
export const request = () => {
  const now = mode();
  const invalid = Array.from(form.querySelectorAll("input[type=number]"))
    .find((input) => !input.closest("[hidden]") && !input.checkValidity());
  if (invalid) {
    find("#more").open = true;
    invalid.reportValidity();
    return null;
  }
  const options = [];
  for (const input of form.querySelectorAll("[data-modes] input")) {
    if (input.closest("[data-modes]").hidden) continue;
    if (input.type === "checkbox" ? input.checked : input.value !== "") options.push([input.name, input.value]);
  }
  if (now === "tags") return { route: "v1/tag", options };
  options.unshift(["mode", now]);
  if (!WITHOUT_CAPTION.includes(now) && captionFrom() !== "model") {
    options.push(["caption", captionFrom() === "text" ? find("#caption-text").value.trim() : ""]);
  }
  return { route: "v1/prompt", options };
};

// Moves the form to the panel that shows it.
export const showOptionsIn = (slot) => find(slot).append(form);

export const startOptions = (onChange) => {
  form.addEventListener("change", () => {
    update();
    onChange();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
};
