// What results look like: bars, tables of labels, prompts, problems.
import { bdi, button, copyAndShow, find, make, number } from "./dom.js";

let scale = 1;

// Bars run from 0 to `most`, so that images can be compared.
export const setScale = (most) => {
  scale = most;
  find("#scale-note").textContent =
    `Bars run from 0 to a score of ${most}. A score is the cosine of the image and the label.`;
};

const bar = ({ label, score, most = scale }) => {
  const item = make("li");
  item.style.setProperty("--share", Math.min(1, Math.max(0, score / most)).toFixed(4));
  const name = button("");
  name.title = "Copy this label";
  name.append(bdi(label));
  const value = make("data", "", score.toFixed(4));
  value.value = String(score);
  name.addEventListener("click", () => copyAndShow(value, label, `${label} is copied.`));
  item.append(name, value);
  return item;
};

const table = (name, matches, canCopyAll) => {
  const section = make("section");
  const head = make("div", "table-head");
  const title = make("h3");
  title.append(bdi(name));
  head.append(title);
  if (canCopyAll) {
    const copier = button("Copy", "copy small");
    copier.setAttribute("aria-label", `Copy the labels of ${name}`);
    const text = matches.map(({ label }) => label).join(", ");
    copier.addEventListener("click", () => copyAndShow(copier, text, `The labels of ${name} are copied.`));
    head.append(copier);
  }
  const bars = make("ol", "bars");
  bars.setAttribute("aria-label", name);
  bars.append(...matches.map(bar));
  if (matches.length === 0) bars.append(make("li", "soft", "none"));
  section.append(head, bars);
  return section;
};

// `tables`: [[name, matches], ...]
export const tablesCard = (tables, canCopyAll = false) => {
  const all = make("div", "tables");
  for (const [name, matches] of tables) all.append(table(name, matches, canCopyAll));
  return all;
};

// The text of a row of any route that writes one.
export const textOf = (row) => row.prompt ?? row.tags ?? row.caption ?? "";

export const promptBox = (text, said = "The prompt is copied.") => {
  const box = make("div", "prompt big");
  const words = make("p");
  words.append(text === "" ? make("span", "empty", "The prompt is empty.") : bdi(text));
  const copier = button("Copy", "copy");
  copier.disabled = text === "";
  copier.addEventListener("click", () => copyAndShow(copier, text, said));
  box.append(words, copier);
  return box;
};

// Scores of tags are probabilities.
const tagMatches = (tags) => tags.map(({ tag, score }) => ({ label: tag, score, most: 1 }));

const tablesOf = (row) => {
  if (row.tags !== undefined) {
    return [
      ["rating", row.rating ? tagMatches([row.rating]) : []],
      ["characters", tagMatches(row.characters ?? [])],
      ["general tags", tagMatches(row.general ?? [])],
    ];
  }
  const tables = [];
  if (row.medium) tables.push(["medium", [row.medium]]);
  if (row.movement) tables.push(["movement", [row.movement]]);
  if (row.flavors?.length > 0) tables.push(["flavors", row.flavors]);
  for (const [name, matches] of Object.entries(row.tables ?? {})) {
    if (matches.length > 0) tables.push([name, matches]);
  }
  return tables;
};

const CHOSEN = { caption: "the caption won", classic: "classic won", fast: "fast won", chain: "the chain won" };

// The result of one image. `seconds`: how long it took.
export const resultCard = (row, seconds) => {
  const card = make("div", "outcome");
  const facts = make("p", "marks");
  const mark = (text) => facts.append(make("span", "mode", text));
  mark(row.mode ?? (row.tags !== undefined ? "tags" : "caption"));
  if (row.chosen) mark(CHOSEN[row.chosen] ?? row.chosen);
  if (typeof row.score === "number") facts.append(make("span", "soft", `score ${row.score.toFixed(4)}`));
  facts.append(make("span", "soft", `${seconds.toFixed(1)} s`));
  card.append(facts, promptBox(textOf(row)));
  if (row.caption && row.caption !== row.prompt) {
    const caption = make("p", "caption-line");
    caption.append(make("span", "soft", "Caption "), bdi(row.caption));
    card.append(caption);
  }
  const tables = tablesOf(row);
  if (tables.length > 0) card.append(tablesCard(tables));
  return card;
};

export const emptyCard = (text) => make("p", "blank", text);

// A problem in place. `retry`: called by a Retry button, which is left out without it.
export const problemCard = (problem, retry = null, label = "Retry") => {
  const card = make("div", "problem");
  card.setAttribute("role", "alert");
  const text = make("p", "error");
  text.append(bdi(problem.message));
  card.append(text);
  if (problem.hint) {
    const hint = make("p", "soft");
    hint.append(bdi(problem.hint));
    card.append(hint);
  }
  if (retry) {
    const again = button(label);
    again.addEventListener("click", retry);
    card.append(again);
  }
  return card;
};

// `step`: the number of finished steps
export const stepText = (step, steps) =>
  `Step ${number(Math.min(step + 1, steps))} of at most ${number(steps)}`;

// Progress of one request: begins without an end, `show` sets step and text.
export const progressCard = () => {
  const card = make("div", "outcome");
  const box = make("div", "prompt big live");
  const words = make("p");
  box.append(words);
  box.hidden = true;
  const line = make("div", "progress");
  const bar = make("progress");
  bar.setAttribute("aria-label", "Progress");
  const text = make("p", "soft", "Working…");
  line.append(bar, text);
  card.append(box, line);
  let last = "";
  return {
    card,
    // The prompt so far, or nothing.
    partial: () => {
      if (last === "") return [];
      const unfinished = make("div", "outcome");
      unfinished.append(make("p", "soft", "The prompt so far, which is not finished:"), promptBox(last));
      return [unfinished];
    },
    say: (message) => { text.textContent = message; },
    show: ({ step, steps, scored, candidates, prompt, score }) => {
      box.hidden = prompt === "";
      last = prompt;
      words.textContent = prompt;
      bar.max = Math.max(1, steps);
      bar.value = step + (candidates > 0 ? scored / candidates : 0);
      const parts = [stepText(step, steps), `${number(scored)} of ${number(candidates)} candidates`];
      if (typeof score === "number") parts.push(`score ${score.toFixed(4)}`);
      text.textContent = parts.join(" · ");
    },
  };
};
