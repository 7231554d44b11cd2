// Requests to the server. Addresses are relative: the server may be behind a path prefix.
import { events } from "./events.js";
import { askKey, currentKey } from "./key.js";

export class Problem extends Error {
  // status 0: no answer at all
  constructor({ status = 0, detail = "", title = "", hint = "" }) {
    super(detail || title || `status ${status}`);
    this.status = status;
    this.hint = hint;
  }

  get isGone() {
    return this.status === 0;
  }

  // Whether the same request can succeed later.
  get isTemporary() {
    return this.isGone || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

const gone = () => new Problem({
  detail: "The server does not answer.",
  hint: "Check that interrogate serve is running and can be reached, then retry.",
});

const isAbort = (error) => error?.name === "AbortError";

const sleep = (ms, signal) => new Promise((resolve, reject) => {
  const abort = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  const timer = setTimeout(() => {
    signal?.removeEventListener("abort", abort);
    resolve();
  }, ms);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
});

const problemOf = async (response) => {
  const title = `The server answered ${response.status} ${response.statusText}`.trim();
  try {
    const body = await response.json();
    return new Problem({ ...body, status: response.status, detail: body.detail || title });
  } catch (error) {
    if (isAbort(error)) throw error;
    return new Problem({ status: response.status, detail: `${title}.` });
  }
};

// Waits as long as a full queue asks for; asks for the key on 401. `onWait(seconds)` is
// called before each wait. Throws Problem, or AbortError after `signal`.
const send = async (path, { body, accept = "application/json", signal, onWait } = {}) => {
  for (;;) {
    const key = currentKey();
    const headers = { accept };
    if (key !== null) headers.authorization = `Bearer ${key}`;
    let response;
    try {
      response = await fetch(path, { method: body ? "POST" : "GET", body, headers, signal, cache: "no-store" });
    } catch (error) {
      if (isAbort(error)) throw error;
      throw gone();
    }
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status === 429) {
      const seconds = Math.min(60, Math.max(1, Number(response.headers.get("retry-after")) || 1));
      onWait?.(seconds);
      await sleep(seconds * 1000, signal);
    } else if (response.status !== 401) {
      throw problem;
    } else if (!(await askKey(key))) {
      throw new Problem({ status: 401, detail: "The server needs a key.", hint: "Retry to enter it." });
    }
    signal?.throwIfAborted();
  }
};

const unexpected = (what) => new Problem({ status: 502, detail: `Unexpected answer: ${what}.`, hint: "Retry." });

export const getJson = async (path, options) => {
  const response = await send(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw unexpected("no JSON");
  }
};

export const getBlob = async (path) => (await send(path)).blob();

// Multipart carries the file as it is; base64 would add a third to its size.
const formOf = (file, options) => {
  const form = new FormData();
  form.append("image", file, file.name);
  for (const [name, value] of options) form.append(name, value);
  return form;
};

const rowOf = (row) => {
  if (!row) throw unexpected("no result");
  if (row.error) throw new Problem({ status: 422, detail: row.error });
  return row;
};

// The row of one image.
export const ask = async (path, file, options, { signal, onWait } = {}) => {
  const answer = await getJson(path, { body: formOf(file, options), signal, onWait });
  return rowOf(answer.results?.[0]);
};

// As `ask`, with `onProgress` called for each progress event of a chain.
export const askWithProgress = async (path, file, options, { signal, onWait, onProgress }) => {
  const response = await send(path, { body: formOf(file, options), accept: "text/event-stream", signal, onWait });
  let row = null;
  try {
    for await (const { event, data } of events(response.body)) {
      const value = JSON.parse(data);
      if (event === "progress") onProgress(value);
      if (event === "result") row = value;
      if (event === "error") throw new Problem(value);
      if (event === "done") break;
    }
  } catch (error) {
    if (error instanceof Problem || isAbort(error)) throw error;
    throw error instanceof SyntaxError ? unexpected("no JSON") : gone();
  }
  if (!row) throw gone();
  return rowOf(row);
};

// A problem for a file that the server would refuse after the upload, or null.
export const tooLarge = (file, limits) => {
  const most = limits?.body_bytes;
  if (!most || file.size + 8192 <= most) return null;
  return new Problem({
    status: 413,
    detail: `The file is too large: ${(file.size / 1024 ** 2).toFixed(1)} MiB. The server accepts ${(most / 1024 ** 2).toFixed(0)} MiB.`,
    hint: "Save the image in a smaller size. The model sees a few hundred pixels of each side.",
  });
};
