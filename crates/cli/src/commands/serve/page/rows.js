// The table of a batch: one row an image.
import { textOf } from "./cards.js";
import { bdi, button, copyAndShow, find, make } from "./dom.js";
import { drawThumbnail } from "./images.js";

const byCanvas = new WeakMap();
const near = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const job = byCanvas.get(target);
    if (job) drawThumbnail(target, job.file);
  }
}, { rootMargin: "300px 0px" });

const cell = (role, name) => {
  const node = make(role === "rowheader" ? "th" : "td", name);
  node.setAttribute("role", role);
  if (role === "rowheader") node.scope = "row";
  return node;
};

const draw = (job) => {
  const node = make("tr");
  node.setAttribute("role", "row");
  const photo = cell("cell", "thumb");
  const canvas = make("canvas");
  canvas.width = 1;
  canvas.height = 1;
  byCanvas.set(canvas, job);
  near.observe(canvas);
  photo.append(canvas);
  const name = cell("rowheader", "name");
  name.append(bdi(job.name));
  job.text = cell("cell", "text");
  job.action = cell("cell", "action");
  node.append(photo, name, job.text, job.action);
  job.node = node;
  showRow(job);
  return node;
};

// Shows the state of `job`: waiting, running, done or failed.
export const showRow = (job) => {
  job.node.className = job.state;
  job.action.replaceChildren();
  if (job.state === "done") {
    const text = textOf(job.row);
    job.text.replaceChildren(text === "" ? make("span", "soft", "empty") : bdi(text));
    const copier = button("Copy", "copy");
    copier.disabled = text === "";
    copier.setAttribute("aria-label", `Copy the prompt of ${job.name}`);
    copier.addEventListener("click", () => copyAndShow(copier, text, `The prompt of ${job.name} is copied.`));
    job.action.append(copier);
  } else if (job.state === "failed") {
    const error = make("span", "error");
    error.append(bdi(job.problem.message));
    job.text.replaceChildren(error);
    const again = button("Retry", "copy");
    again.setAttribute("aria-label", `Retry ${job.name}`);
    again.addEventListener("click", () => job.retry());
    job.action.append(again);
  } else {
    job.text.replaceChildren(make("span", "soft", job.state === "running" ? job.note ?? "Working…" : "Waiting"));
  }
};

export const addRows = (jobs) => {
  const rows = document.createDocumentFragment();
  for (const job of jobs) rows.append(draw(job));
  find("#row-list").append(rows);
};

export const clearRows = () => {
  for (const canvas of find("#row-list").querySelectorAll("canvas")) near.unobserve(canvas);
  find("#row-list").replaceChildren();
};
