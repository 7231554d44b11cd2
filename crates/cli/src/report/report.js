"use strict";
(() => {
  const find = (selector, root = document) => root.querySelector(selector);
  const make = (tag, name, text) => {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const list = find("#cards");
  const scale = Number(list.dataset.scale) || 1;
  const query = find("#query");
  const sort = find("#sort");
  const turn = find("#turn");
  const number = (n) => n.toLocaleString("en");
  const images = (n) => `${number(n)} ${n === 1 ? "image" : "images"}`;

  const cards = Array.from(list.children, (node, order) => ({
    node,
    order,
    failed: node.classList.contains("failed"),
    name: find("h2 bdi", node).textContent,
    prompt: find(".prompt bdi", node)?.textContent ?? "",
  }));
  const byNode = new Map(cards.map((card) => [card.node, card]));
  const failures = cards.filter((card) => card.failed).length;
  let shown = cards;

  // ---- ranked labels: drawn when a card comes near the viewport ----

  const tablesOf = (card) => {
    const data = find("script", card.node);
    return data ? JSON.parse(data.textContent) : [];
  };

  const draw = (card) => {
    if (card.drawn) return;
    card.drawn = true;
    const tables = tablesOf(card).filter(({ labels }) => labels.length > 0);
    if (tables.length === 0) return;
    const all = make("div", "tables");
    for (const { name, labels, scores } of tables) {
      const bars = make("ol", "bars");
      bars.setAttribute("aria-label", name);
      labels.forEach((label, at) => {
        const bar = make("li");
        const score = scores[at];
        bar.style.setProperty("--share", Math.min(1, Math.max(0, score / scale)).toFixed(4));
        const button = make("button");
        button.type = "button";
        button.title = "Search for this label";
        button.append(make("bdi", "", label));
        const value = make("data", "", score.toFixed(4));
        value.value = String(score);
        bar.append(button, value);
        bars.append(bar);
      });
      const table = make("section");
      const title = make("h3");
      title.append(make("bdi", "", name));
      table.append(title, bars);
      all.append(table);
    }
    card.node.append(all);
  };

  const near = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(byNode.get(target));
    }
  }, { rootMargin: "900px 0px" });
  cards.forEach((card) => near.observe(card.node));
  window.addEventListener("beforeprint", () => shown.forEach(draw));

  // ---- search and sort ----

  const plain = (text) => text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();

  let isIndexed = false;
  const index = () => {
    if (isIndexed) return;
    isIndexed = true;
    const names = new Set();
    for (const card of cards) {
      const parts = [card.name, card.prompt];
      for (const said of card.node.querySelectorAll(".caption, .error")) parts.push(said.textContent);
      card.best = new Map();
      for (const { name, labels, scores } of tablesOf(card)) {
        parts.push(...labels);
        if (scores.length === 0) continue;
        names.add(name);
        card.best.set(name, scores[0]);
      }
      card.text = plain(parts.join("\n"));
    }
    for (const name of names) {
      const option = make("option", "", `By the best score of ${name}`);
      option.value = `table ${name}`;
      sort.append(option);
    }
  };
  const soon = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  soon(index);

  const words = (typed) =>
    Array.from(typed.matchAll(/"([^"]+)"|([^\s"]+)/g), (found) => plain(found[1] ?? found[2]));

  const state = () => find("input[name=state]:checked").value;

  const filter = () => {
    index();
    const wanted = words(query.value);
    const which = state();
    shown = cards.filter((card) => {
      const fits = which === "all" || card.failed === (which === "failed");
      const seen = fits && wanted.every((word) => card.text.includes(word));
      card.node.hidden = !seen;
      return seen;
    });
    arrange(shown);
    const text = shown.length === cards.length
      ? images(cards.length)
      : `${number(shown.length)} of ${images(cards.length)}`;
    find("#shown").textContent = text;
    const none = find("#none");
    none.hidden = shown.length > 0;
    if (shown.length === 0) {
      find("span", none).textContent = cards.length === 0
        ? "There is no image in this report."
        : query.value.trim() === "" ? "No image is of this kind." : `Nothing matches ${query.value.trim()}.`;
      find("button", none).hidden = cards.length === 0;
    }
    find("#copy-all").disabled = !shown.some((card) => card.prompt !== "");
  };

  const collator = new Intl.Collator("en", { numeric: true });
  const compare = () => {
    if (sort.value === "order") return (a, b) => a.order - b.order;
    if (sort.value === "name") return (a, b) => collator.compare(a.name, b.name);
    const table = sort.value.slice("table ".length);
    return (a, b) => b.best.get(table) - a.best.get(table);
  };
  // Sorts `some` by the selected order. Cards without the selected score come
  // last in both directions.
  const arrange = (some) => {
    const has = (card) => !sort.value.startsWith("table ") || card.best.has(sort.value.slice(6));
    const first = some.filter(has).sort(compare());
    if (turn.ariaPressed === "true") first.reverse();
    some.splice(0, some.length, ...first, ...some.filter((card) => !has(card)));
  };
  const rearrange = () => {
    index();
    const all = cards.slice();
    arrange(all);
    if (all.some((card, at) => list.children[at] !== card.node)) {
      const moved = document.createDocumentFragment();
      all.forEach((card) => moved.append(card.node));
      list.append(moved);
    }
    arrange(shown);
  };

  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 60);
  });
  const search = (text) => {
    query.value = text;
    filter();
  };
  find("form").addEventListener("submit", (event) => event.preventDefault());
  find("#states").addEventListener("change", filter);
  sort.addEventListener("change", rearrange);
  turn.addEventListener("click", () => {
    turn.ariaPressed = String(turn.ariaPressed !== "true");
    rearrange();
  });
  find("#none button").addEventListener("click", () => {
    find("input[value=all]").checked = true;
    search("");
    query.focus();
  });

  // ---- copying ----

  const say = (text) => {
    find("#said").textContent = text;
  };
  // file: pages may lack navigator.clipboard; execCommand needs a selection.
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const before = document.activeElement;
      const area = make("textarea", "unseen");
      area.value = text;
      document.body.append(area);
      area.select();
      const copied = document.execCommand("copy");
      area.remove();
      before?.focus();
      return copied;
    }
  };
  const answer = async (button, text, said) => {
    const was = button.dataset.was ?? button.textContent;
    button.dataset.was = was;
    const copied = await copy(text);
    button.textContent = copied ? "Copied" : "Not copied";
    button.classList.toggle("done", copied);
    say(copied ? said : "The browser refuses to copy: select the text instead.");
    clearTimeout(button.timer);
    button.timer = setTimeout(() => {
      button.textContent = was;
      button.classList.remove("done");
    }, 1600);
  };
  list.addEventListener("click", ({ target }) => {
    const card = byNode.get(target.closest(".card"));
    const copier = target.closest(".copy");
    if (copier) answer(copier, card.prompt, `The prompt of ${card.name} is copied.`);
    const label = target.closest(".bars button");
    if (label) search(`"${label.textContent}"`);
  });
  find("#copy-all").addEventListener("click", ({ currentTarget }) => {
    const prompts = shown.map((card) => card.prompt).filter((prompt) => prompt !== "");
    answer(currentTarget, prompts.join("\n"), `${number(prompts.length)} prompts are copied, one a line.`);
  });

  // ---- keys ----

  const step = (card, by) => {
    const next = shown[shown.indexOf(card) + by];
    if (!next) return;
    draw(next);
    next.node.focus({ preventScroll: true });
    next.node.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target, key } = event;
    if (target === query) {
      if (key === "Escape" && query.value !== "") search("");
      return;
    }
    if (target.matches("input, select")) return;
    if (key === "/") {
      event.preventDefault();
      query.select();
      query.focus();
    } else if (list.contains(target)) {
      const card = byNode.get(target.closest(".card"));
      if (key === "j") step(card, 1);
      if (key === "k" && card) step(card, -1);
      if (key === "c" && card?.prompt) find(".copy", card.node).click();
    }
  });

  // ---- colors ----

  const themes = [["", "as the system"], ["light", "light"], ["dark", "dark"]];
  let theme = 0;
  find("#theme").addEventListener("click", ({ currentTarget }) => {
    theme = (theme + 1) % themes.length;
    const [name, words] = themes[theme];
    document.documentElement.dataset.theme = name;
    currentTarget.title = `Colors: ${words}`;
    find("#theme-name").textContent = currentTarget.title;
    say(currentTarget.title);
  });

  // ---- initial state ----

  document.documentElement.dataset.script = ""; // shows what needs the script
  const counts = find("#counts");
  find("dd", counts).textContent = failures === 0
    ? number(cards.length)
    : `${number(cards.length)}, ${number(failures)} failed`;
  counts.hidden = false;
  find("#states").hidden = failures === 0;
  for (const [value, n] of [["all", cards.length], ["done", cards.length - failures], ["failed", failures]]) {
    find(`input[value=${value}] + span`).textContent += ` ${number(n)}`;
  }
  find("#shown").textContent = images(cards.length);
  find("#none").hidden = cards.length > 0;
  if (cards.length === 0) filter();
  find("#tools").hidden = false;
  find(".keys").hidden = false;
})();
