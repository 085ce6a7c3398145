"use strict";
const form = document.querySelector(".filters");
const filters = [...form.querySelectorAll("select")];
const cards = [...document.querySelectorAll(".card")];
const none = document.querySelector(".none");
const everything = form.querySelector(".everything");
const dialog = document.querySelector("dialog");
let larger = null;

function fits(card) {
  return filters.every((filter) => !filter.value || card.dataset[filter.name].split(" ").includes(filter.value));
}

function show() {
  for (const card of cards) card.hidden = !fits(card);
  const shown = cards.filter((card) => !card.hidden).length;
  form.querySelector(".count").textContent = `${shown} of ${cards.length} shown`;
  none.hidden = shown > 0;
  everything.hidden = shown === cards.length || shown === 0;
}

function read() {
  const fragment = location.hash.slice(1);
  // A link to a section leaves the filters as they are.
  if (fragment && !fragment.includes("=")) return;
  const wanted = new URLSearchParams(fragment);
  for (const filter of filters) {
    const value = wanted.get(filter.name) ?? "";
    filter.value = [...filter.options].some((option) => option.value === value) ? value : "";
  }
  show();
}

function write() {
  const chosen = filters.filter((filter) => filter.value).map((filter) => [filter.name, filter.value]);
  const fragment = new URLSearchParams(chosen).toString();
  // Not location.hash: an empty one would scroll to the top.
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

function showEverything() {
  for (const filter of filters) filter.value = "";
  show();
  write();
  // The button that was pressed is gone.
  filters[0].focus();
}

function enlarge(card) {
  larger = card;
  dialog.querySelector("h3").textContent = card.querySelector("b").textContent;
  const pictures = [...card.querySelectorAll(".four > span")].map((picture) => picture.cloneNode(true));
  for (const picture of pictures) picture.querySelector("img").loading = "eager";
  dialog.querySelector(".large").replaceChildren(...pictures);
  const facts = card.querySelector("dl").cloneNode(true);
  facts.hidden = false;
  dialog.querySelector(".about").replaceChildren(facts);
  if (!dialog.open) {
    dialog.showModal();
    dialog.querySelector(".after").focus();
  }
}

function step(by) {
  const shown = cards.filter((card) => !card.hidden);
  enlarge(shown.at((shown.indexOf(larger) + by) % shown.length));
}

form.hidden = false;
form.addEventListener("change", () => { show(); write(); });
everything.addEventListener("click", showEverything);
none.querySelector("button").addEventListener("click", showEverything);
for (const card of cards) card.querySelector("button").addEventListener("click", () => enlarge(card));
dialog.querySelector(".before").addEventListener("click", () => step(-1));
dialog.querySelector(".after").addEventListener("click", () => step(1));
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
dialog.addEventListener("close", () => larger.querySelector("button").focus());
addEventListener("hashchange", read);
read();
show();
