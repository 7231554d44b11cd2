import { askWithProgress, Problem, tooLarge } from "./api.js";
import { emptyCard, problemCard, progressCard, resultCard, stepText, textOf } from "./cards.js";
import { find, reveal, say, swapFocus } from "./dom.js";
import { mode, request } from "./options.js";
import { currentImage, onImage } from "./source.js";

let limits = null;
let running = null; // the AbortController and the progress of a request
const result = find("#result");

const idle = () => {
  const has = currentImage() !== null;
  result.replaceChildren(emptyCard(has ? "Choose a mode, then write the prompt." : "The prompt appears here."));
};

const buttons = () => {
  const write = find("#write");
  const stopper = find("#stop");
  swapFocus(() => {
    write.disabled = currentImage() === null || running !== null;
    stopper.hidden = running === null;
  }, write, stopper);
  write.textContent = mode() === "tags" ? "Write tags" : "Write prompt";
};

// Closes the connection, which ends the work on the server.
const cancel = () => {
  running?.controller.abort();
  running = null;
};

const stop = () => {
  if (!running) return;
  const { progress } = running;
  cancel();
  result.replaceChildren(emptyCard("Stopped."), ...progress.partial());
  say("Stopped.");
  buttons();
};

export const writePrompt = async () => {
  const file = currentImage();
  if (file === null || running) return;
  const wanted = request();
  if (!wanted) return;
  const large = tooLarge(file, limits);
  if (large) {
    result.replaceChildren(problemCard(large));
    return;
  }
  const progress = progressCard();
  const own = { controller: new AbortController(), progress };
  const { signal } = own.controller;
  running = own;
  buttons();
  const began = performance.now();
  result.replaceChildren(progress.card);
  reveal(result);
  say("Working.");
  let announced = began;
  try {
    const row = await askWithProgress(wanted.route, file, wanted.options, {
      signal,
      onWait: (seconds) => progress.say(`The server is busy. Trying again in ${seconds} s.`),
      onProgress: (event) => {
        if (signal.aborted) return;
        progress.show(event);
        if (performance.now() - announced < 8000) return;
        announced = performance.now();
        say(`${stepText(event.step, event.steps)}.`);
      },
    });
    if (signal.aborted) return;
    result.replaceChildren(resultCard(row, (performance.now() - began) / 1000));
    say(`Done: ${textOf(row)}`);
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Problem)) throw error;
    result.replaceChildren(problemCard(error, error.isTemporary ? writePrompt : null), ...progress.partial());
  } finally {
    if (running === own) {
      running = null;
      buttons();
    }
  }
};

export const promptButtons = buttons;

export const setPromptLimits = (value) => {
  limits = value;
};

export const startPrompt = () => {
  find("#write").addEventListener("click", writePrompt);
  find("#stop").addEventListener("click", stop);
  onImage(() => {
    cancel();
    idle();
    buttons();
  });
  idle();
};
