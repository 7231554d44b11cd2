import { getBlob } from "./api.js";
import { problemCard } from "./cards.js";
import { bdi, button, copyAndShow, download, find, make, number, size } from "./dom.js";
import { currentKey } from "./key.js";

const fact = (name, text) => {
  const node = make("div");
  const value = make("dd");
  value.append(bdi(text));
  node.append(make("dt", "", name), value);
  return node;
};

const sheet = (title) => {
  const node = make("section", "sheet");
  node.append(make("h2", "", title));
  return node;
};

const tableOf = (tables) => {
  const node = make("table", "counts");
  const head = make("tr");
  const body = make("tbody");
  for (const [name, text] of [["", "Table"], ["number", "Labels"]]) {
    const cell = make("th", name, text);
    cell.scope = "col";
    head.append(cell);
  }
  for (const { name, labels } of tables) {
    const row = make("tr");
    const title = make("th");
    title.scope = "row";
    title.append(bdi(name));
    row.append(title, make("td", "number", number(labels)));
    body.append(row);
  }
  const top = make("thead");
  top.append(head);
  node.append(top, body);
  return node;
};

// A link that also works with a key, which a plain link would not send.
const link = (path, text, about) => {
  const item = make("li");
  const anchor = make("a", "", text);
  anchor.href = path;
  anchor.addEventListener("click", async (event) => {
    if (currentKey() === null) return;
    event.preventDefault();
    try {
      download(path, await getBlob(path));
    } catch (error) {
      item.append(problemCard(error));
    }
  });
  item.append(anchor, make("span", "soft", ` ${about}`));
  return item;
};

const example = () => {
  const address = new URL("v1/prompt", document.baseURI).href;
  const header = currentKey() === null ? "" : " -H 'Authorization: Bearer KEY'";
  const text = `curl${header} -F image=@photo.jpg -F mode=fast ${address}`;
  const box = make("div", "prompt");
  const words = make("p");
  words.append(make("code", "", text));
  const copier = button("Copy", "copy");
  copier.addEventListener("click", () => copyAndShow(copier, text, "The command is copied."));
  box.append(words, copier);
  return box;
};

export const showAbout = (info) => {
  const model = sheet("Model");
  const facts = make("dl", "facts");
  facts.append(
    fact("Model", info.model.id),
    fact("Device", info.model.device),
    fact("Precision", info.model.precision),
    fact("Caption model", info.caption_model ?? "none"),
    fact("Tagger", info.tagger ?? "none"),
    fact("Version", info.version),
  );
  model.append(facts);
  if (info.model.notice) model.append(make("p", "notice", info.model.notice));

  const tables = sheet("Index");
  tables.append(tableOf(info.tables));

  const limits = sheet("Limits");
  const most = make("dl", "facts");
  most.append(
    fact("Size of a request", size(info.limits.body_bytes)),
    fact("Images in a request", number(info.limits.images)),
    fact("Images in the queue", number(info.limits.queue)),
  );
  limits.append(most);

  const use = sheet("Interface");
  const links = make("ul", "links");
  links.append(
    link("openapi.json", "openapi.json", "all routes, for programs"),
    link("health", "health", "whether the server runs"),
  );
  use.append(example(), links);

  const side = make("div", "stack");
  side.append(limits, use);
  const columns = make("div", "two even");
  columns.append(tables, side);
  find("#panel-about").replaceChildren(model, columns);
};
