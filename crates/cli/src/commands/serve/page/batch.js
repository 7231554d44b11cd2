// Many images: one request an image, a few at a time.
import { ask, Problem, tooLarge } from "./api.js";
import { problemCard, textOf } from "./cards.js";
import { copyAndShow, count, download, find, number, say, swapFocus } from "./dom.js";
import { csvOf, linesOf, textFilesOf } from "./csv.js";
import { nameOf } from "./images.js";
import { request } from "./options.js";
import { addRows, clearRows, showRow } from "./rows.js";
import { zipOf } from "./zip.js";

let limits = null;
let jobs = [];
let running = null;
let announced = 0;

const inState = (state) => jobs.filter((job) => job.state === state);
const results = () => inState("done").map((job) => ({ name: job.name, text: textOf(job.row), row: job.row }));

const set = (job, state, more = {}) => {
  Object.assign(job, { state, note: undefined, problem: undefined }, more);
  showRow(job);
};

const show = () => {
  const [waiting, busy, done, failed] =
    ["waiting", "running", "done", "failed"].map((state) => inState(state).length);
  const has = jobs.length > 0;
  const start = find("#batch-start");
  const stopper = find("#batch-stop");
  swapFocus(() => {
    start.hidden = running !== null;
    stopper.hidden = running === null;
  }, start, stopper);
  start.disabled = !has;
  start.textContent = waiting > 0 || !has
    ? `Write ${has ? count(waiting, "prompt") : "prompts"}`
    : "Write all again";
  find("#batch-retry").hidden = running !== null || failed === 0;
  find("#batch-retry").textContent = `Retry ${number(failed)} failed`;
  find("#batch-clear").hidden = running !== null || !has;
  find("#batch-progress").hidden = !has;
  find("#batch-bar").max = Math.max(1, jobs.length);
  find("#batch-bar").value = done + failed;
  const parts = [`${number(done + failed)} of ${number(jobs.length)}`];
  if (failed > 0) parts.push(`${number(failed)} failed`);
  if (busy > 0) parts.push(`${number(busy)} at work`);
  find("#batch-count").textContent = parts.join(" · ");
  find("#downloads").hidden = done === 0;
  find("#batch-none").hidden = has;
  find("#rows").hidden = !has;
  const now = Date.now();
  if (running && now - announced > 5000) {
    announced = now;
    say(`${parts.join(", ")}.`);
  }
};

// One paint for many changes.
let scheduled = false;
const showSoon = () => {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    show();
  }, 80);
};

const work = async (job, wanted, signal) => {
  set(job, "running");
  try {
    const large = tooLarge(job.file, limits);
    if (large) throw large;
    const row = await ask(wanted.route, job.file, wanted.options, {
      signal,
      onWait: (seconds) => set(job, "running", { note: `The server is busy. Trying again in ${seconds} s.` }),
    });
    set(job, "done", { row });
  } catch (error) {
    if (signal.aborted) return set(job, "waiting");
    if (!(error instanceof Problem)) throw error;
    // Without a server or a key every other image would fail as well: end the run.
    if (error.isGone || error.status === 401) {
      set(job, "waiting");
      throw error;
    }
    set(job, "failed", { problem: error });
  }
  showSoon();
};

export const runBatch = async () => {
  if (running || jobs.length === 0) return;
  const wanted = request();
  if (!wanted) return;
  if (inState("waiting").length === 0) jobs.forEach((job) => set(job, "waiting", { row: null }));
  const own = new AbortController();
  running = own;
  find("#batch-alert").replaceChildren();
  announced = Date.now();
  show();
  say(`Working on ${count(inState("waiting").length, "image")}.`);
  let at = 0;
  const worker = async () => {
    while (!own.signal.aborted) {
      while (at < jobs.length && jobs[at].state !== "waiting") at += 1;
      if (at === jobs.length) return;
      await work(jobs[at], wanted, own.signal);
    }
  };
  let problem = null;
  await Promise.all(Array.from({ length: Number(find("#workers").value) }, () => worker().catch((error) => {
    problem ??= error;
    own.abort();
  })));
  running = null;
  show();
  if (problem) {
    if (!(problem instanceof Problem)) throw problem;
    find("#batch-alert").replaceChildren(problemCard(problem, runBatch, "Continue"));
    return;
  }
  const failed = inState("failed").length;
  const done = count(inState("done").length, "prompt");
  say(own.signal.aborted ? "Stopped." : `Done: ${done}${failed > 0 ? `, ${number(failed)} failed` : ""}.`);
};

const retry = (some) => {
  if (some.length === 0 || running) return;
  some.forEach((job) => set(job, "waiting"));
  runBatch();
};

// Files dropped during a run are worked on in the same run.
export const addToBatch = (files) => {
  const added = files.map((file) => {
    const job = { file, name: nameOf(file), state: "waiting", row: null };
    job.retry = () => retry([job]);
    return job;
  });
  jobs = jobs.concat(added);
  addRows(added);
  show();
  say(`${count(files.length, "image")} added, ${number(jobs.length)} in the list.`);
};

export const setBatchLimits = (value) => {
  limits = value;
};

export const startBatch = () => {
  const text = (type) => ({ type: `${type};charset=utf-8` });
  find("#batch-start").addEventListener("click", runBatch);
  find("#batch-stop").addEventListener("click", () => running?.abort());
  find("#batch-retry").addEventListener("click", () => retry(inState("failed")));
  find("#batch-clear").addEventListener("click", () => {
    jobs = [];
    clearRows();
    find("#batch-alert").replaceChildren();
    show();
    find("#batch-choose").focus();
  });
  find("#batch-choose").addEventListener("click", () => find("#pick-many").click());
  find("#batch-zone").addEventListener("click", () => find("#pick-many").click());
  find("#batch-folder").addEventListener("click", () => find("#pick-folder").click());
  find("#download-csv").addEventListener("click", () =>
    download("prompts.csv", new Blob([csvOf(results())], text("text/csv"))));
  find("#download-txt").addEventListener("click", () =>
    download("prompts.txt", new Blob([linesOf(results())], text("text/plain"))));
  find("#download-zip").addEventListener("click", () => {
    try {
      download("prompts.zip", zipOf(textFilesOf(results())));
    } catch (error) {
      find("#batch-alert").replaceChildren(problemCard(error));
    }
  });
  find("#copy-all").addEventListener("click", ({ currentTarget }) => {
    const all = linesOf(results());
    copyAndShow(currentTarget, all, `${count(results().length, "prompt")} copied, one a line.`);
  });
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
  show();
};
