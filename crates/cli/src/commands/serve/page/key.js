// Asks for the API key, once for all requests that wait for it.
import { find } from "./dom.js";

const STORE = "interrogate-key";
let key = null;
try { key = sessionStorage.getItem(STORE); } catch { /* storage may be disabled */ }
let asking = null;

export const currentKey = () => key;

const ask = () => new Promise((resolve) => {
  const dialog = find("#key");
  const text = find("#key-text");
  const done = new AbortController();
  const { signal } = done;
  find("#key-error").textContent = key === null ? "" : "The server refuses this key.";
  text.value = "";
  find("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    key = text.value.trim();
    try { sessionStorage.setItem(STORE, key); } catch { /* kept in memory */ }
    dialog.close("used");
  }, { signal });
  find("#key-cancel").addEventListener("click", () => dialog.close("cancel"), { signal });
  dialog.addEventListener("close", () => {
    done.abort();
    resolve(dialog.returnValue === "used");
  }, { once: true });
  dialog.returnValue = "cancel";
  dialog.showModal();
});

// Resolves to whether there is another key than `refused` now.
export const askKey = async (refused) => {
  if (key !== refused) return true;
  asking ??= ask().finally(() => { asking = null; });
  return asking;
};
