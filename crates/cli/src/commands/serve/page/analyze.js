import { ask, Problem, tooLarge } from "./api.js";
import { emptyCard, problemCard, progressCard, tablesCard } from "./cards.js";
import { find, reveal, say, swapFocus } from "./dom.js";
import { currentImage, onImage } from "./source.js";

let limits = null;
let running = null;
const result = find("#analysis");

const idle = () => {
  const has = currentImage() !== null;
  result.replaceChildren(emptyCard(has ? "Analyze shows the best labels of every table." : "The labels appear here."));
};

const buttons = () => {
  const start = find("#analyze");
  const stopper = find("#analyze-stop");
  swapFocus(() => {
    start.disabled = currentImage() === null || running !== null;
    stopper.hidden = running === null;
  }, start, stopper);
};

const cancel = () => {
  running?.abort();
  running = null;
};

export const analyze = async () => {
  const file = currentImage();
  const k = find("#k");
  if (file === null || running || !k.reportValidity()) return;
  const large = tooLarge(file, limits);
  if (large) {
    result.replaceChildren(problemCard(large));
    return;
  }
  const own = new AbortController();
  running = own;
  buttons();
  const progress = progressCard();
  result.replaceChildren(progress.card);
  reveal(result);
  say("Working.");
  try {
    const row = await ask("v1/analyze", file, [["k", k.value || "5"]], {
      signal: own.signal,
      onWait: (seconds) => progress.say(`The server is busy. Trying again in ${seconds} s.`),
    });
    if (own.signal.aborted) return;
    const card = tablesCard(Object.entries(row.tables), true);
    card.classList.add("large");
    result.replaceChildren(card);
    say(`The best labels of ${card.childElementCount} tables are shown.`);
  } catch (error) {
    if (own.signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    result.replaceChildren(problemCard(error, error.isTemporary ? analyze : null));
  } finally {
    if (running === own) {
      running = null;
      buttons();
    }
  }
};

export const setAnalyzeLimits = (value) => {
  limits = value;
};

export const startAnalyze = () => {
  find("#analyze-form").addEventListener("submit", (event) => {
    event.preventDefault();
    analyze();
  });
  find("#analyze-stop").addEventListener("click", () => {
    cancel();
    result.replaceChildren(emptyCard("Stopped."));
    say("Stopped.");
    buttons();
  });
  onImage(() => {
    cancel();
    idle();
    buttons();
  });
  idle();
};
