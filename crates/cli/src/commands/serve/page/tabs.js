// https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ with automatic activation.
import { find } from "./dom.js";

const tabs = Array.from(find("#tabs").children);
let listener = () => {};

export const currentTab = () =>
  tabs.find((tab) => tab.ariaSelected === "true").id.slice("tab-".length);

export const showTab = (name, { focus = false } = {}) => {
  for (const tab of tabs) {
    const isShown = tab.id === `tab-${name}`;
    tab.ariaSelected = String(isShown);
    tab.tabIndex = isShown ? 0 : -1;
    find(`#${tab.getAttribute("aria-controls")}`).hidden = !isShown;
    if (isShown && focus) tab.focus();
  }
  history.replaceState(null, "", name === "prompt" ? location.pathname + location.search : `#${name}`);
  listener(name);
};

export const startTabs = (onTab) => {
  listener = onTab;
  find("#tabs").addEventListener("click", ({ target }) => {
    const tab = target.closest("[role=tab]");
    if (tab) showTab(tab.id.slice("tab-".length));
  });
  find("#tabs").addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    const to = {
      ArrowRight: (at + 1) % tabs.length,
      ArrowLeft: (at + tabs.length - 1) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    showTab(tabs[to].id.slice("tab-".length), { focus: true });
  });
  const wanted = location.hash.slice(1);
  showTab(tabs.some((tab) => tab.id === `tab-${wanted}`) ? wanted : "prompt");
};
