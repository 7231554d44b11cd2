// A classic script in the head, so that a stored color scheme applies before the first paint.
"use strict";
(() => {
  const themes = [["", "as the system"], ["light", "light"], ["dark", "dark"]];
  const root = document.documentElement;
  const stored = () => {
    try { return localStorage.getItem("interrogate-theme") ?? ""; } catch { return ""; }
  };
  const store = (name) => {
    try { localStorage.setItem("interrogate-theme", name); } catch { /* storage may be disabled */ }
  };
  let theme = Math.max(0, themes.findIndex(([name]) => name === stored()));
  root.dataset.theme = themes[theme][0];
  root.dataset.script = ""; // report.css shows copy buttons only with it

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("#theme");
    const show = () => {
      const [name, words] = themes[theme];
      root.dataset.theme = name;
      button.title = `Colors: ${words}`;
      document.querySelector("#theme-name").textContent = button.title;
    };
    show();
    button.addEventListener("click", () => {
      theme = (theme + 1) % themes.length;
      show();
      store(themes[theme][0]);
      document.querySelector("#said").textContent = button.title;
    });
  });
})();
