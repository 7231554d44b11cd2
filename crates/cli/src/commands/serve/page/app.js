import { analyze, setAnalyzeLimits, startAnalyze } from "./analyze.js";
import { getJson, Problem } from "./api.js";
import { showAbout } from "./about.js";
import { addToBatch, runBatch, setBatchLimits, startBatch } from "./batch.js";
import { emptyCard, problemCard, setScale } from "./cards.js";
import { find } from "./dom.js";
import { watchImages } from "./images.js";
import { setServer, showOptionsIn, startOptions } from "./options.js";
import { promptButtons, setPromptLimits, startPrompt, writePrompt } from "./prompt.js";
import { setImage, startSource } from "./source.js";
import { currentTab, showTab, startTabs } from "./tabs.js";

const load = async () => {
  let info;
  find("#startup").replaceChildren();
  try {
    info = await getJson("v1/info");
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    find("#startup").replaceChildren(problemCard(error, load));
    find("#panel-about").replaceChildren(emptyCard("The server has not answered yet."));
    return;
  }
  find("#model").textContent = `${info.model.id} on ${info.model.device}`;
  const notice = find("#notice");
  notice.hidden = !info.model.notice || currentTab() === "about";
  notice.textContent = info.model.notice ?? "";
  // Cosines of the starter reach 0.8, those of CLIP 0.35.
  setScale(info.model.notice ? 1 : 0.4);
  setServer(info);
  for (const set of [setPromptLimits, setAnalyzeLimits, setBatchLimits]) set(info.limits);
  showAbout(info);
  promptButtons();
};

const receive = (files) => {
  const tab = currentTab();
  if (tab === "batch" || files.length > 1) {
    addToBatch(files);
    if (tab !== "batch") showTab("batch");
  } else {
    setImage(files[0]);
    if (tab === "about") showTab("prompt");
  }
};

const ACTIONS = { prompt: writePrompt, analyze, batch: runBatch };

startOptions(promptButtons);
startSource();
startPrompt();
startAnalyze();
startBatch();
startTabs((name) => {
  const hasImage = name === "prompt" || name === "analyze";
  find("#source").hidden = !hasImage;
  find("#notice").hidden = name === "about" || find("#notice").textContent === "";
  find("#desk").classList.toggle("with-image", hasImage);
  if (name === "prompt" || name === "batch") showOptionsIn(`#options-${name}`);
});
watchImages(receive);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || find("#key").open) return;
  event.preventDefault();
  ACTIONS[currentTab()]?.();
});
load();
